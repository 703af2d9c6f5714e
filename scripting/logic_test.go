package scripting_test

import (
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

const bobAt = "198.51.100.7"

// twoPeople is the script of two doors that wait for each other.
const twoPeople = `
local ana = sesame.completed { "ana", within = "5m" }
local bob = sesame.completed { "bob", within = "5m" }

local function with(other, name)
  return function(attempt)
    if not attempt:holds(other) then return false, "waiting for " .. name end
    attempt:allow()
    attempt:allow { source = other }
  end
end
sesame.door "ana" { sequence = { 1, 2 }, guards = 22, on_open = with(bob, "bob") }
sesame.door "bob" { sequence = { 3, 4 }, guards = 22, on_open = with(ana, "ana") }
`

func TestTwoPeople(t *testing.T) {
	both := []string{"allow 198.51.100.7/32 tcp/22 30s", "allow 203.0.113.9/32 tcp/22 30s"}
	t.Run("whoever comes second opens for both", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(alice, "tcp/1", "tcp/2")
		w.want("refuse ana when waiting for bob")
		w.later(4 * time.Minute)
		w.knock(bobAt, "tcp/3", "tcp/4")
		w.want("open bob 198.51.100.7", both[0], both[1])
	})
	t.Run("in the other order too", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(bobAt, "tcp/3", "tcp/4")
		w.want("refuse bob when waiting for ana")
		w.knock(alice, "tcp/1", "tcp/2")
		w.want("open ana 203.0.113.9", both[1], both[0])
	})
	t.Run("too late", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(alice, "tcp/1", "tcp/2")
		w.later(5 * time.Minute)
		w.knock(bobAt, "tcp/3", "tcp/4")
		w.want("refuse ana when waiting for bob", "refuse bob when waiting for ana")
	})
	t.Run("one person alone opens nothing", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(alice, "tcp/1", "tcp/2", "tcp/1", "tcp/2")
		w.want("refuse ana when waiting for bob", "refuse ana when waiting for bob")
	})
	t.Run("two people behind one address", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4")
		w.want("refuse ana when waiting for bob", "open bob 203.0.113.9", both[1], both[1])
		if grants := w.e.Grants(); len(grants) != 1 {
			t.Errorf("%d grants: want one", len(grants))
		}
	})
	t.Run("after a reload", func(t *testing.T) {
		w := theScript(t, twoPeople)
		w.knock(alice, "tcp/1", "tcp/2")
		w.got = nil
		w.see(w.e.Swap(w.now, theScript(t, twoPeople).set.Engine))
		w.knock(bobAt, "tcp/3", "tcp/4")
		w.want("open bob 198.51.100.7", both[0], both[1])
	})
}

// Access for another source is only for one that the engine saw, and that the
// text shows.
func TestAllowForAnother(t *testing.T) {
	const head = `
local bob = sesame.completed { "bob", within = "5m" }
local office = sesame.networks { "10.0.0.0/8" }
sesame.door "bob" { sequence = { 3, 4 }, guards = 22 }
`
	for name, tt := range map[string]struct{ call, want string }{
		"who did not come":  {`attempt:allow { source = bob }`, `error ssh.lua:5: allow: source: nobody completed door "bob" within 5m: ask with holds first`},
		"an address":        {`local a = attempt a:allow { source = "198.51.100.7" }`, `error ssh.lua:5: source: expected a condition made by sesame.completed, got the string "198.51.100.7"`},
		"another condition": {`local a = attempt a:allow { source = office }`, "error ssh.lua:5: source: expected a condition made by sesame.completed, got a condition"},
		"a hidden call":     {`attempt["al" .. "low"](attempt, { source = bob })`, `error ssh.lua:5: allow of tcp/22: no allow in door "ana" or outside of doors names it`},
		"a network that is not shown for another": {`if attempt.source == "10.0.0.1" then attempt:allow { source = bob } attempt:allow { prefix4 = 24 } end attempt["al" .. "low"](attempt, { source = bob, prefix4 = 24 })`,
			`error ssh.lua:5: allow of tcp/22: no allow in door "ana" or outside of doors names so wide a network`},
		"a source that is not shown": {`attempt:allow() attempt["al" .. "low"](attempt, { source = bob })`, `error ssh.lua:5: allow of tcp/22: no allow in door "ana" or outside of doors names another source`},
	} {
		t.Run(name, func(t *testing.T) {
			w := theScript(t, head+`sesame.door "ana" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) `+tt.call+` end }`)
			if name != "who did not come" {
				w.knock(bobAt, "tcp/3", "tcp/4")
			}
			w.got = nil
			w.knock(alice, "tcp/1", "tcp/2")
			if len(w.got) < 2 || !strings.HasPrefix(brief(w.got[2]), tt.want) {
				t.Errorf("got %v", all(w))
			}
			for _, e := range w.got {
				if e.Effect == engine.EffectAllow {
					t.Errorf("access for %v", e.Source)
				}
			}
		})
	}
}

const vpnThenAdmin = `
local vpn = sesame.granted "vpn"
sesame.door "vpn" { sequence = { 1, 2 }, guards = "udp/51820", ttl = "8h", MODE
  on_close = function(grant) grant:close "admin" end }
sesame.door "admin" { sequence = { 3, 4 }, guards = 8006, when = vpn,
  on_open = function(attempt)
    attempt:log("vpn ends in", attempt:granted "vpn", "seconds")
    attempt:allow { ttl = "1h" }
  end }
`

func TestAdminHangsOnVPN(t *testing.T) {
	w := theScript(t, strings.ReplaceAll(vpnThenAdmin, "MODE", ""))
	w.knock(alice, "tcp/3", "tcp/4")
	w.want("refuse admin when vpn: no grant")
	w.knock(alice, "tcp/1", "tcp/2")
	w.later(7*time.Hour + 30*time.Minute)
	w.knock(alice, "tcp/3", "tcp/4")
	w.want("open vpn 203.0.113.9", "allow 203.0.113.9/32 udp/51820 8h0m0s",
		"open admin 203.0.113.9", "log vpn ends in 1800 seconds", "allow 203.0.113.9/32 tcp/8006 1h0m0s")
	w.knock("203.0.113.10", "tcp/3", "tcp/4")
	w.want("refuse admin when vpn: no grant")

	// A reload changes nothing, and the end of the one is the end of the other.
	w.see(w.e.Swap(w.now, theScript(t, strings.ReplaceAll(vpnThenAdmin, "MODE", "")).set.Engine))
	w.later(29 * time.Minute)
	w.knock(alice, "tcp/3", "tcp/4")
	w.want("open admin 203.0.113.9", "log vpn ends in 60 seconds", "allow 203.0.113.9/32 tcp/8006 1h0m0s")
	w.later(time.Minute)
	w.want("close vpn udp/51820 expired", "close admin tcp/8006 closed_by_door")
	w.knock(alice, "tcp/3", "tcp/4")
	w.want("refuse admin when vpn: no grant")
}

// An observed grant is none for a door that is enforced.
func TestAnObservedGrantIsForObservers(t *testing.T) {
	observed := strings.ReplaceAll(vpnThenAdmin, "MODE", `mode = "observe",`)
	w := theScript(t, observed)
	w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4")
	w.want("open vpn 203.0.113.9", "allow 203.0.113.9/32 udp/51820 8h0m0s", "refuse admin when vpn: no grant")

	w = theScript(t, strings.Replace(observed, "when = vpn", `when = vpn, mode = "observe"`, 1))
	w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4")
	w.want("open vpn 203.0.113.9", "allow 203.0.113.9/32 udp/51820 8h0m0s",
		"open admin 203.0.113.9", "log vpn ends in 28800 seconds", "allow 203.0.113.9/32 tcp/8006 1h0m0s")
}

// A grant for a network is one for each address in it, also when it replaced
// that of an address.
func TestAGrantForANetworkIsForAllInIt(t *testing.T) {
	w := theScript(t, `
local wide = sesame.granted "wide"
sesame.door "wide" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) attempt:allow { prefix4 = 24 } end }
sesame.door "narrow" { sequence = { 3, 4 }, guards = 23, when = wide }
`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.got = nil
	w.knock("203.0.113.77", "tcp/3", "tcp/4")
	w.want("open narrow 203.0.113.77", "allow 203.0.113.77/32 tcp/23 30s")
	w.knock("203.0.114.1", "tcp/3", "tcp/4")
	w.want("refuse narrow when wide: no grant")
}

// A shrug is a condition that nobody can decide.
type shrug struct{ name string }

func (s shrug) Name() string   { return s.name }
func (s shrug) String() string { return s.name + ": who knows" }
func (s shrug) Check(*engine.Call) (engine.Verdict, error) {
	return engine.Verdict{Outcome: engine.Unknown, Condition: s.name, Detail: s.String()}, nil
}

// withShrug is the API with sesame.shrug, which has no options.
func withShrug() []scripting.Object {
	api := scripting.API()
	api[0].Members = append(api[0].Members, scripting.ConditionMember(condition.Kind{
		Name: "shrug", Type: "{}", Doc: "Makes a condition that nobody can decide.", Example: "local s = sesame.shrug {}",
		Build: func(name string, _ condition.Values) (engine.Condition, error) { return shrug{name}, nil },
	}))
	return api
}

func shrugging(t *testing.T, text string) *world {
	t.Helper()
	set, err := scripting.LoadWith(sourcetest.Files(map[string]string{"ssh.lua": text, "lib/times.lua": `
return { hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" } }`}), scripting.Options{}, withShrug())
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, set)
}

// TestHolds asks for conditions in on_open.
func TestHolds(t *testing.T) {
	const text = `
local times  = require "times"
local hours  = times.hours
local office = sesame.networks { "10.0.0.0/8" }
local vpn    = sesame.granted "ssh"
local who    = sesame.shrug {}
local mine   = sesame.all { function(attempt) return attempt.source == "203.0.113.9", "not alice" end }
local asks   = sesame.any { function(attempt) return attempt:holds(hours) end }
local loud   = sesame.any { function(attempt) local a = attempt a:log("x") return true end }
local broken = sesame.all { function(attempt) return nil .. "" end }
local doubt  = sesame.any { function(attempt) return attempt:holds(who) end, office }
local safe   = sesame.any { doubt, hours }
local deep   = {}
deep.deep    = sesame.all { function(attempt) return attempt:holds(deep.deep) end }
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) local a = attempt BODY end }
`
	open := []string{"open ssh 203.0.113.9"}
	tell := func(line string) []string { return []string{"open ssh 203.0.113.9", "log " + line} }
	for body, want := range map[string][]string{
		`print(attempt:holds(hours))`:                    tell("true"),
		`print(attempt:holds(office))`:                   tell("false\toffice: 10.0.0.0/8"),
		`print(attempt:holds(vpn))`:                      tell("false\tvpn: no grant of door \"ssh\""),
		`print(attempt:holds(mine))`:                     tell("true"),
		`print(attempt:holds(asks))`:                     tell("true"),
		`print(attempt:holds(safe))`:                     tell("true"),
		`attempt:holds(who) attempt:allow()`:             {"refuse ssh no_data who: who knows"},
		`pcall(attempt.holds, attempt, who) return true`: {"refuse ssh no_data who: who knows"},
		`pcall(attempt.holds, attempt, who) attempt:log("still here") return false, "mine"`: {"refuse ssh no_data who: who knows"},
		`pcall(attempt.holds, attempt, who) error("mine")`:                                  {"refuse ssh no_data who: who knows"},
		`attempt:holds(doubt)`: {"refuse ssh no_data doubt: who: who knows"},
		`if not attempt:holds(office) then return false, "away" end`: {"refuse ssh when away"},
		`attempt:holds(loud)`:                    {"error ssh.lua:9: when only decides: it can neither store, log, print nor act", "refuse ssh script_error"},
		`attempt:holds(broken)`:                  {"error ssh.lua:10: cannot concatenate a nil value", "refuse ssh script_error"},
		`pcall(attempt.holds, attempt, broken)`:  open,
		`attempt:holds(deep.deep)`:               {"error ssh.lua:14: conditions ask for each other more than 8 deep", "refuse ssh script_error"},
		`a:holds("office")`:                      {`error ssh.lua:15: holds: expected a condition such as sesame.window { ... }, got the string "office"`, "refuse ssh script_error"},
		`a:holds(function() end)`:                {"error ssh.lua:15: holds: expected a condition such as sesame.window { ... }, got a function: call it, or make a condition of it at the top level: sesame.all { it }", "refuse ssh script_error"},
		`a:holds()`:                              {"error ssh.lua:15: holds: expected a condition such as sesame.window { ... }, got nothing", "refuse ssh script_error"},
		`while true do attempt:holds(hours) end`: {"error ssh.lua:15: the function takes more than 200000 steps: is there a loop that does not end?", "refuse ssh script_error"},
		`a:granted("shs")`:                       {`error ssh.lua:15: granted: there is no door "shs": did you mean "ssh"?`, "refuse ssh script_error"},
		`a:granted(5)`:                           {`error ssh.lua:15: granted: expected a string, got the number 5`, "refuse ssh script_error"},
		`print(attempt:granted("ssh"))`:          tell("nil"),
	} {
		w := shrugging(t, strings.Replace(text, "BODY", body, 1))
		w.knock(alice, "tcp/1", "tcp/2")
		t.Run(body, func(t *testing.T) {
			w.t = t
			w.want(want...)
		})
	}
}

// A function for when may ask, and what is unknown there is one of three values.
func TestWhenAsks(t *testing.T) {
	const text = `
local who, office = sesame.shrug {}, sesame.networks { "10.0.0.0/8" }
local function ask(attempt) pcall(attempt.holds, attempt, who) return true end
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, when = WHEN }
`
	for when, want := range map[string]string{
		`ask`:                 "refuse ssh no_data who: who knows",
		`{ ask, office }`:     "refuse ssh when office: 10.0.0.0/8",
		`sesame.none { ask }`: "refuse ssh no_data who: who knows",
		`sesame.any { ask, sesame.networks { "203.0.113.9" } }`: "open ssh 203.0.113.9",
	} {
		w := shrugging(t, strings.Replace(text, "WHEN", when, 1))
		w.knock(alice, "tcp/1", "tcp/2")
		w.got = w.got[:min(len(w.got), 3)] // without the access
		w.want(want)
	}
}

// Where no knock is at hand, nothing can be refused: then it is an error.
func TestUnknownWhereNothingCanBeRefused(t *testing.T) {
	w := shrugging(t, `
local who = sesame.shrug {}
local function ask(given) pcall(given.holds, given, who) given:log("never") end
sesame.handler("later", ask)
sesame.door "ssh" { sequence = { 1, 2, 3 }, guards = 22, ttl = "5s", on_close = ask, on_miss = ask,
  on_open = function(attempt) attempt:allow() attempt:after("1s", "later") end }
sesame.listen "beacon" { on = "udp/9", guards = 22, on_knock = function(knock) pcall(knock.holds, knock, who) knock:allow() end }
`)
	w.knock(alice, "udp/9")
	w.want("refuse beacon no_data who: who knows")
	w.knock(alice, "tcp/1", "tcp/2", "tcp/1")
	w.want("miss ssh 2/3 out_of_order", "error ssh.lua:3: on_miss asked for a condition that nobody can decide, and did nothing: who: who knows")
	w.knock(alice, "tcp/2", "tcp/3")
	w.later(time.Minute)
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 5s",
		"error ssh.lua:3: a handler asked for a condition that nobody can decide, and did nothing: who: who knows",
		"close ssh tcp/22 expired",
		"error ssh.lua:3: on_close asked for a condition that nobody can decide, and did nothing: who: who knows")
}

// TestWrongConditions loads what must not load.
func TestWrongConditions(t *testing.T) {
	const doors = `sesame.door "vpn" { sequence = { 1, 2 }, guards = 22 } sesame.listen "beacon" { on = 9, on_knock = function() end }` + "\n"
	for text, want := range map[string]string{
		`local v = sesame.granted "vnp"`:                         `a.lua:2:11: sesame.granted "vnp": there is no door "vnp": did you mean "vpn"?`,
		`local v = sesame.granted { "vnp" }`:                     `a.lua:2:11: sesame.granted: there is no door "vnp": did you mean "vpn"?`,
		`local v = sesame.granted { "vpn", "beacon" }`:           `a.lua:2:11: sesame.granted: expected the name of one door, got 2`,
		`local v = sesame.granted {}`:                            `a.lua:2:11: sesame.granted: expected the name of one door, got 0`,
		`local v = sesame.granted(5)`:                            `a.lua:2:11: sesame.granted: expected a table of options, got the number 5: write sesame.granted { ... }`,
		`local v = sesame.completed { "vpn" }`:                   `a.lua:2:11: sesame.completed: within is missing: expected duration`,
		`local v = sesame.completed { "vpn", within = 5 }`:       `a.lua:2:46: within: expected a duration such as "5m", got the number 5`,
		`local v = sesame.completed { "beacon", within = "5m" }`: `a.lua:2:11: sesame.completed: "beacon" is a listener, which every packet to its port completes: name a door with a sequence`,
		`local v = sesame.all {}`:                                `a.lua:2:11: sesame.all: expected at least one condition`,
		`local v = sesame.none { "vpn" }`:                        `a.lua:2:25: sesame.none: expected a condition such as sesame.window { ... }, or a function, got the string "vpn"`,
	} {
		_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": doors + text}), scripting.Options{})
		problems, ok := err.(source.Problems)
		if !ok || len(problems) != 1 || problems[0].Error() != want {
			t.Errorf("%s\ngives %v\nwant  %s", text, err, want)
		}
	}
}

// A loop that makes conditions gives each a name.
func TestConditionsOfALoopHaveNames(t *testing.T) {
	const problem = `a.lua:2:%s: sesame.networks: the call makes several conditions with the name "NAME": give each a name of its own, such as name = "NAME of " .. user`
	for text, want := range map[string]string{
		"for i = 1, 3 do\nlocal n = sesame.networks { '10.0.0.' .. i } end":                                                               "n",
		"for i = 1, 3 do\nlocal t = { sesame.networks { '10.0.0.' .. i } } end":                                                           "networks",
		"for i = 1, 3 do\nlocal t = { net = sesame.networks { '10.0.0.' .. i } } end":                                                     "net",
		"local function make(a)\nreturn sesame.networks { a } end make '10.0.0.1' make '10.0.0.2'":                                        "networks",
		"for i = 1, 3 do\nlocal n = sesame.networks { '10.0.0.' .. i, name = 'net ' .. i } end":                                           "",
		"local n, m =\nsesame.networks { '10.0.0.1' }, sesame.networks { '10.0.0.2' }":                                                    "",
		"for i = 1, 2 do\nlocal n, m = sesame.networks { '10.0.0.' .. i }, sesame.networks { '10.0.1.' .. i } end":                        "networks",
		"local make = sesame.networks\nlocal n, m = make { '10.0.0.1' }, make { '10.0.0.2' }":                                             "",
		"\nfor i = 1, 2 do local n = sesame.networks { '10.0.0.' .. i, name = 'net ' .. i } end local m = sesame.networks { '10.0.0.9' }": "",
		"for i = 1, 3 do\nlocal n = { sesame.any { sesame.networks { '10.0.0.' .. i, name = 'net ' .. i } } } end":                        "",
	} {
		_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want == "" && err != nil || want != "" && !strings.Contains(got, strings.ReplaceAll(problem[len("a.lua:2:%s: "):], "NAME", want)) {
			t.Errorf("%s\ngives %v\nwant %q", text, err, want)
		}
		if problems, ok := err.(source.Problems); ok && len(problems) != 1 {
			t.Errorf("%s: %d problems", text, len(problems))
		}
	}
}
