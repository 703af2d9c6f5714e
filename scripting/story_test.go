package scripting_test

import (
	"strings"
	"testing"
	"time"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

const alice, bob = "203.0.113.9", "2001:db8::7"

func TestADoorThatOnlyDeclares(t *testing.T) {
	w := theScript(t, `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", 2904 }, guards = "tcp/22" }`)
	w.knock(alice, "tcp/7421", "udp/9133", "tcp/2904")
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s")
	w.later(30 * time.Second)
	w.want("close ssh tcp/22 expired")
}

func TestTheWholeExample(t *testing.T) {
	w := theScript(t, `
local hours = sesame.window  { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local audit = sesame.command { "/usr/local/bin/audit", "{source}", timeout = "5s" }

sesame.door "ssh" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" },
  within   = "8s",
  guards   = "tcp/22",
  ttl      = "30s",
  when     = { hours },
  on_open  = function(attempt)
    attempt:allow()
    attempt:exec(audit)
  end,
}`)
	knocks := []string{"tcp/7421", "udp/9133", "tcp/2904", "tcp/6117"}
	w.knock(alice, knocks...)
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s", `exec ["/usr/local/bin/audit" "203.0.113.9"]`)
	w.later(8 * time.Hour)
	w.got = nil
	t.Log("# 19:00 in Madrid, which is 18:00 UTC in winter, is outside")
	w.knock(alice, knocks...)
	w.want("refuse ssh when hours: mon-fri 08:00-19:00 Europe/Madrid; it was Mon 19:00; holds again Tue 08:00")
}

func TestConditions(t *testing.T) {
	const script = `
local office = sesame.networks { "203.0.113.0/24", "2001:db8::/32" }
local night  = sesame.window { from = "22:00", to = "06:00", tz = "UTC" }
local function odd(attempt) attempt = attempt
  if attempt.port == "tcp/2" and attempt.stage == 2 then return CASE end
end
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, when = WHEN }`
	for _, tt := range []struct{ name, when, returns, want string }{
		{"one that holds", "office", "", "open ssh"},
		{"one that does not", "night", "", "refuse ssh when night: mon-sun 22:00-06:00 UTC; it was Mon 10:00; holds again Mon 22:00"},
		{"all of a list", "{ office, night }", "", "refuse ssh when night: mon-sun 22:00-06:00 UTC; it was Mon 10:00; holds again Mon 22:00"},
		{"any", "sesame.any { night, office }", "", "open ssh"},
		{"none of any", `sesame.any { night, sesame.networks { "192.0.2.1", name = "home" } }`, "",
			"refuse ssh when night: mon-sun 22:00-06:00 UTC; it was Mon 10:00; holds again Mon 22:00 or home: 192.0.2.1/32"},
		{"a function that agrees", "odd", "true", "open ssh"},
		{"a function with a reason", "odd", `false, "not today"`, "refuse ssh when not today"},
		{"a function without reason", "odd", "false", "refuse ssh when odd: function at ssh.lua:4"},
		{"a function in a list", "{ office, odd }", `false, "not today"`, "refuse ssh when not today"},
		{"a function in any", "sesame.any { odd, office }", `false, "no"`, "open ssh"},
		{"a function that returns nothing", "odd", "nil and 1", "error ssh.lua:4: when: the function returned nothing: return true, or false and a reason"},
		{"a function that returns something else", "odd", "0 + 1", "error ssh.lua:4: when: the function returned the number 1: return true, or false and a reason"},
		{"a reason that is none", "odd", "false, {}", "error ssh.lua:4: when: the reason is a table: expected a string"},
		{"a function that acts", "odd", "attempt:allow()", "error ssh.lua:5: when only decides: it can neither store, log, print nor act"},
		{"a function that stores", "odd", `attempt.store:set("a", 1)`, "error ssh.lua:5: when only decides: it can neither store, log, print nor act"},
		{"a function that prints", "odd", `print("a")`, "error ssh.lua:5: when only decides: it can neither store, log, print nor act"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := theScript(t, strings.NewReplacer("CASE", tt.returns, "WHEN", tt.when).Replace(script))
			w.knock(alice, "tcp/1", "tcp/2")
			got := ""
			for _, event := range w.got {
				if line := brief(event); got == "" && !strings.HasPrefix(line, "{") {
					got = strings.TrimSuffix(line, " "+alice)
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestHandlersMayRefuse(t *testing.T) {
	const script = `sesame.door "ssh" { sequence = { 1, 2, 3 }, guards = 22, HOOK = function(attempt) attempt:log("seen") RETURN end }`
	for _, tt := range []struct {
		hook, returns string
		want          []string
	}{
		{"on_open", "", []string{"open ssh 203.0.113.9", "log seen"}},
		{"on_open", "return true", []string{"open ssh 203.0.113.9", "log seen"}},
		{"on_open", `return false, "banned"`, []string{"refuse ssh when banned", "log seen"}},
		{"on_open", "return false", []string{"refuse ssh when", "log seen"}},
		{"on_open", `return "n" .. "o"`, []string{`error ssh.lua:1: on_open: the function returned the string "no": return nothing to go on, or false and a reason`, "refuse ssh script_error"}},
		{"on_stage", `return attempt.stage < 3, "third"`, []string{"log seen", "refuse ssh when third", "log seen"}},
	} {
		t.Run(tt.hook+" "+tt.returns, func(t *testing.T) {
			w := theScript(t, strings.NewReplacer("HOOK", tt.hook, "RETURN", tt.returns).Replace(script))
			w.knock(alice, "tcp/1", "tcp/2", "tcp/3")
			w.want(tt.want...)
		})
	}
}

// TestOperations runs one line in on_open of a door that guards tcp/22. What is
// wrong in the text would not load, so the line uses variables that hide their
// values.
func TestOperations(t *testing.T) {
	const script = `
local plain = sesame.command { "/bin/plain", "backup@{source}", "{{{door}}}", "{port}" }
local grade = sesame.command { "/bin/grade", "{level}", undo = { "/bin/grade", "off", "{level}" }, ttl = "5m",
  choices = { level = { "low", "high" } } }
local hidden = "al" .. "low"
sesame.handler("remind", function(timer) timer:log(timer.name, timer.value, timer.source, timer.door) end)
sesame.door "other" { sequence = { 8, 9 }, guards = 23 }
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, ports = PORTS, on_open = function(attempt) attempt = attempt local sesame = sesame
  LINE
end }`
	refused := func(detail string) []string {
		return []string{"error ssh.lua:9: " + detail, "refuse ssh script_error"}
	}
	done := func(effects ...string) []string { return append([]string{"open ssh 203.0.113.9"}, effects...) }
	for _, tt := range []struct {
		line string
		want []string
	}{
		{`attempt:allow()`, done("allow 203.0.113.9/32 tcp/22 30s")},
		{`attempt:allow { port = "tcp/443", ttl = "2h" }`, done("allow 203.0.113.9/32 tcp/443 2h0m0s")},
		{`attempt:allow { port = { 22, "udp/53" }, prefix4 = 24 }`, done("allow 203.0.113.0/24 tcp/22 30s", "allow 203.0.113.0/24 udp/53 30s")},
		{`attempt:allow { port = 0 }`, refused(`port: port "0": expected a number from 1 to 65535`)},
		{`attempt:allow { tll = "2h" }`, refused(`unknown option "tll" in allow: did you mean "ttl"?`)},
		{`attempt:allow "tcp/443"`, refused(`allow: expected a table of options, got the string "tcp/443": write allow { ... }`)},
		{`attempt:allow { prefix4 = 33 }`, refused(`prefix4: expected a whole number from 1 to 32, got the number 33`)},
		{`attempt.allow()`, refused(`allow was called without its attempt: write attempt:allow, with a colon`)},
		{`attempt[hidden](attempt, { port = "tcp/443" })`, refused(`allow of tcp/443: no allow in door "ssh" or outside of doors names it: write allow { port = "tcp/443" } there`)},
		{`attempt[hidden](attempt)`, refused(`allow of tcp/22: no allow in door "ssh" or outside of doors names it: write allow { port = "tcp/22" } there`)},
		{`attempt["clo" .. "se"](attempt, "other")`, refused(`close "other": no close in door "ssh" or outside of doors names it: write close "other" there`)},
		{`attempt:alow()`, refused(`attempt has no "alow": did you mean "allow"?`)},
		{`attempt.source = "192.0.2.1"`, refused(`attempt is read-only`)},
		{`attempt:exec(plain)`, done(`exec ["/bin/plain" "backup@203.0.113.9" "{ssh}" "22"]`)},
		{`attempt:exec(plain, { port = "udp/53" })`, done(`exec ["/bin/plain" "backup@203.0.113.9" "{ssh}" "53"]`)},
		{`attempt:exec(plain, { level = "low" })`, refused(`unknown option "level" in exec: expected one of port, ttl`)},
		{`attempt:exec(grade, { level = "high" })`, done(`exec ["/bin/grade" "high"]`)},
		{`attempt:exec(grade, { level = "hihg" })`, refused(`level: unknown value "hihg": did you mean "high"?`)},
		{`attempt:exec(grade, { level = "-rf /" })`, refused(`level: unknown value "-rf /": expected one of low, high`)},
		{`attempt:exec(grade)`, refused(`exec: there is no value for {level}: write it as level = "..."`)},
		{`attempt:exec("/bin/sh")`, refused(`exec: expected a command that sesame.command declared while the file loaded, got the string "/bin/sh"`)},
		{`attempt:exec(attempt)`, refused(`exec: expected a command that sesame.command declared, got an attempt`)},
		{`sesame.command { "/bin/sh" }`, refused(`sesame.command registers while the file loads: call it at the top level, not in a function such as on_open`)},
		{`sesame.door "late"`, refused(`sesame.door registers while the file loads: call it at the top level, not in a function such as on_open`)},
		{`attempt:close "other"`, done()},
		{`attempt:close("oth" .. "re")`, refused(`close: there is no door "othre": did you mean "other"?`)},
		{`attempt:log("a", 1, true, nil)`, done("log a 1 true nil")},
		{`attempt:log({})`, refused(`log: expected strings, numbers and booleans, got a table`)},
		{`print("a", 1)`, done("log a\t1")},
		{`attempt:after("10m", "remnid")`, refused(`after: no handler "remnid" is registered in this file: did you mean "remind"?`)},
		{`attempt:after("10m", "remind", {})`, refused(`after: expected a string, a number, a boolean or nil, got a table`)},
		{`attempt:after(10, "remind")`, refused(`after: expected a duration in a string, got the number 10: write "10s"`)},
		{`for i = 1, 300 do attempt:log(i) end`, refused(`more than 256 operations in one call`)},
		{`while true do end`, refused(`the function takes more than 200000 steps: is there a loop that does not end?`)},
		{`attempt:log("never seen") error("no")`, refused(`no`)},
	} {
		t.Run(tt.line, func(t *testing.T) {
			w := theScript(t, strings.NewReplacer("PORTS", "nil", "LINE", tt.line).Replace(script))
			w.knock(alice, "tcp/1", "tcp/2")
			w.want(tt.want...)
		})
	}
	t.Run("declared ports bound what is computed", func(t *testing.T) {
		w := theScript(t, strings.NewReplacer("PORTS", `"tcp/443"`, "LINE", `attempt:allow { port = "tcp/" .. (attempt.family == "ipv4" and 443 or 80) }`).Replace(script))
		w.knock(alice, "tcp/1", "tcp/2")
		w.want(done("allow 203.0.113.9/32 tcp/443 30s")...)
		w.knock(bob, "tcp/1", "tcp/2")
		w.want(refused(`allow of tcp/80: it is neither among the guards of the door nor among its ports`)...)
	})
}

func TestWhatFunctionsSee(t *testing.T) {
	w := theScript(t, `
sesame.handler("later", function(timer)
  timer:log("timer", timer.source, timer.family, timer.door, timer.name, timer.value, timer.time)
end)
sesame.door "ssh" { sequence = { 1, "udp/2", 3 }, guards = 22, ttl = "1m", within = "5s",
  on_stage = function(a) a:log("stage", a.source, a.family, a.door, a.stage, a.stages, a.time, a.port, a.payload, a.reason) end,
  on_miss = function(a) a:log("miss", a.stage, a.stages, a.reason, a.port, a.payload) end,
  on_open = function(a) a:allow() a:after("10s", "later", 1.5) end,
  on_close = function(g) g:log("close", g.source, g.door, g.port, g.reason, g.id) end,
}`)
	w.send(bob, "tcp/1", "")
	w.send(bob, "udp/2", "hello\x00world")
	w.want("log stage 2001:db8::7 ipv6 ssh 2 3 1772445600 udp/2 hello\x00world nil")
	w.later(5 * time.Second)
	w.want("miss ssh 2/3 total_timeout", "log miss 2 3 total_timeout nil ")
	w.knock(alice, "tcp/1", "udp/2", "tcp/3")
	w.want("log stage 203.0.113.9 ipv4 ssh 2 3 1772445605 udp/2  nil", "log stage 203.0.113.9 ipv4 ssh 3 3 1772445605 tcp/3  nil",
		"open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 1m0s")
	w.later(10 * time.Second)
	w.want("log timer 203.0.113.9 ipv4 ssh later 1.5 1772445615")
	w.later(time.Hour)
	w.want("close ssh tcp/22 expired", "log close 203.0.113.9 ssh tcp/22 expired 1")
}

func TestAllowFollowsACompletedSequence(t *testing.T) {
	for hook, want := range map[string]string{
		"on_stage": "error ssh.lua:1: allow is for on_open and on_knock: access follows a completed sequence, and this is on_stage",
		"on_miss":  "error ssh.lua:1: allow is for on_open and on_knock: access follows a completed sequence, and this is on_miss",
	} {
		w := theScript(t, `sesame.door "ssh" { sequence = { 1, 2, 3 }, guards = 22, `+hook+` = function(attempt) attempt = attempt attempt:allow() end }`)
		w.knock(alice, "tcp/1", "tcp/2")
		w.later(time.Minute)
		if !strings.Contains(all(w), want) {
			t.Errorf("%s: got\n%swant %s", hook, all(w), want)
		}
	}
	w := theScript(t, `sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_close = function(grant) grant = grant grant:allow() end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.later(time.Minute)
	if want := `error ssh.lua:1: grant has no "allow": access follows a completed sequence, so allow is for on_open and on_knock`; !strings.Contains(all(w), want) {
		t.Errorf("on_close: got\n%swant %s", all(w), want)
	}
}

func all(w *world) string {
	var b strings.Builder
	for _, event := range w.got {
		b.WriteString(brief(event) + "\n")
	}
	return b.String()
}

func TestAListener(t *testing.T) {
	w := theScript(t, `
sesame.listen "beacon" { on = { "udp/62201", "udp/62202" }, limit = "2/s", ports = { "tcp/22" }, on_knock = function(knock)
  if knock.payload ~= "sesame" then return false, "wrong word" end
  knock:allow { port = "tcp/22", ttl = "1m" }
end }`)
	w.send(alice, "udp/62202", "sesame")
	w.want("open beacon 203.0.113.9", "allow 203.0.113.9/32 tcp/22 1m0s")
	w.send(alice, "udp/62201", "sesam")
	w.want("refuse beacon when wrong word")
	w.send(alice, "udp/62201", "sesame")
	w.want("refuse beacon limit 2/s")
}

func TestAPayloadIsSeenInPart(t *testing.T) {
	w := theScript(t, `sesame.listen "l" { on = "udp/1", on_knock = function(knock) knock:log(#knock.payload) end }`)
	w.send(alice, "udp/1", strings.Repeat("x", 5000))
	w.want("log 2048")
}

func TestUndo(t *testing.T) {
	w := theScript(t, `
local vpn = sesame.command { "/bin/vpn", "up", "{source}", undo = { "/bin/vpn", "down", "{source}" } }
sesame.door "vpn" { sequence = { 1, 2 }, ttl = "10m", on_open = function(attempt) attempt:exec(vpn) end }
sesame.door "stop" { sequence = { 2, 1 }, on_open = function(attempt) attempt:close "vpn" end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open vpn 203.0.113.9", `exec ["/bin/vpn" "up" "203.0.113.9"]`)
	w.knock(alice, "tcp/1")
	w.want("open stop 203.0.113.9", "close vpn none/0 closed_by_door", `undo ["/bin/vpn" "down" "203.0.113.9"]`)
}

func TestSettings(t *testing.T) {
	files := map[string]string{"ssh.lua": `
local ttl  = sesame.option "ttl"  { type = "duration", default = "30s", doc = "How long the door is open." }
local port = sesame.option "port" { type = "port", default = 22 }
local loud = sesame.option "loud" { type = "boolean", default = false }
local many = sesame.option "many" { type = "number" }
local name = sesame.option "name" { type = "string", default = "ssh" }
sesame.door(name) { sequence = { 1, 2 }, guards = port, ttl = ttl, on_open = function(a) a:log(loud, many + 1) a:allow() end }`}
	w := theScripts(t, files, scripting.Options{Values: map[string]string{"ttl": "2h", "port": "2222", "loud": "true", "many": "3"}})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open ssh 203.0.113.9", "log true 4", "allow 203.0.113.9/32 tcp/2222 2h0m0s")
	if o := w.set.Options[0]; o.Name != "ttl" || o.Value != "2h" || !o.Set || o.Doc == "" || o.Place.Line != 2 {
		t.Errorf("the first option is reported as %+v", o)
	}
	if o := w.set.Options[4]; o.Value != "ssh" || o.Set {
		t.Errorf("the last option is reported as %+v", o)
	}
}

func TestModules(t *testing.T) {
	files := map[string]string{
		"a.lua":                `local times = require "times/office" sesame.door "a" { sequence = { 1, 2 }, guards = 22, when = times.hours }`,
		"b.lua":                `local times = require "times/office" sesame.door "b" { sequence = { 3, 4 }, guards = 22, when = times.hours }`,
		"b_test.lua":           `this is no script`,
		".#b.lua":              `nor is this`,
		"lib/other.lua":        `nobody requires this`,
		"lib/times/office.lua": `return { hours = sesame.window { days = "sat", tz = "UTC" } }`,
	}
	w := theScripts(t, files, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4")
	w.want("refuse a when hours: sat 00:00-24:00 UTC; it was Mon 10:00; holds again Sat 00:00", "refuse b when hours: sat 00:00-24:00 UTC; it was Mon 10:00; holds again Sat 00:00")
	var paths []string
	for _, file := range w.set.Files {
		paths = append(paths, file.Path)
	}
	if got := strings.Join(paths, " "); got != "a.lua b.lua lib/times/office.lua" {
		t.Errorf("files %s", got)
	}
}

func TestRandomnessIsTheCalls(t *testing.T) {
	const script = `sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(a) a:log(math.random(1, 1000000), math.random(1, 1000000)) end }`
	numbers := func() string {
		w := theScript(t, script)
		w.knock(alice, "tcp/1", "tcp/2")
		w.knock(bob, "tcp/1", "tcp/2")
		return all(w)
	}
	first := numbers()
	if again := numbers(); again != first {
		t.Errorf("a replay draws other numbers:\n%s\n%s", first, again)
	}
	lines := strings.Fields(first)
	if n := len(lines); n < 4 || lines[n-1] == lines[n-2] || strings.Count(first, "log "+lines[n-2]) != 1 {
		t.Errorf("the numbers do not differ:\n%s", first)
	}
}

// What a script could not keep between two calls, however it tries.
func TestNoCallSeesAnotherOne(t *testing.T) {
	w := theScript(t, `local function make()
  local n = 0
  return function() local function inc() n = n + 1 end inc() return n end
end
local count = make()
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt)
  if count() < 2 then return false, "first" end
  attempt:allow()
end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.knock(alice, "tcp/1", "tcp/2")
	for _, event := range w.got {
		if line := brief(event); strings.HasPrefix(line, "open") {
			t.Errorf("opened: %s", line)
		}
	}
}

// An error of the host inside pcall leaves the caller's variables alone, and no
// message shows an address.
func TestErrorsOfTheHostInsidePcall(t *testing.T) {
	w := theScript(t, `sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, when = function(attempt)
  local n = 0
  local function bump() n = n + 1 end
  bump() pcall(print, "x") bump() bump()
  local _, a = pcall(function() local x = 5 return x[{}] end)
  local _, b = pcall(function() return attempt[print] end)
  return false, n .. " " .. tostring((a .. b):find("0x"))
end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("refuse ssh when 3 nil")
}

func TestConditionsAreBounded(t *testing.T) {
	_, err := scripting.Load(sourcetest.Files(map[string]string{"ssh.lua": `local c = sesame.networks { "10.0.0.0/8" }
for i = 1, 40 do c = sesame.any { c, c } end
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, when = c }`}), scripting.Options{})
	if err == nil || !strings.Contains(err.Error(), "expected at most 32 conditions") {
		t.Errorf("got %v", err)
	}
}

func TestADoorMayObserve(t *testing.T) {
	w := theScript(t, `
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22 }
sesame.door "new" { sequence = { 3, 4 }, guards = 22, mode = "observe" }
sesame.door "old" { sequence = { 5, 6 }, guards = 22, mode = "enforce" }
sesame.listen "beacon" { on = "udp/9", mode = "observe", on_knock = function(knock) end }
`)
	var observed []string
	for _, door := range w.set.Engine.Doors {
		if door.Observe {
			observed = append(observed, door.Name)
		}
	}
	if got := strings.Join(observed, " "); got != "new beacon" {
		t.Errorf("observed: %s, want new beacon", got)
	}
}

func TestSettingsFromAFile(t *testing.T) {
	files := map[string]string{"a.lua": `local ttl = sesame.option "ttl" { type = "duration", default = "1h" }`}
	for _, tt := range []struct{ name, value, want string }{
		{"ttl", "soon", `a.lua:1:13: sesame.option "ttl": sesame.toml:3: ttl=soon: "soon" is not a duration: expected a number with a unit, such as "8s", "1m30s" or "2h"`},
		{"tll", "2h", `sesame.toml:3: tll: no script declares the option "tll": did you mean "ttl"?`},
	} {
		_, err := scripting.Load(sourcetest.Files(files), scripting.Options{Values: map[string]string{tt.name: tt.value}, Given: map[string]string{tt.name: "sesame.toml:3"}})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s = %s is reported as\n%v\nwant\n%s", tt.name, tt.value, err, tt.want)
		}
	}
}
