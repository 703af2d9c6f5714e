package scripting_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source/sourcetest"
)

// TestProbableMistakes: what came through a variable, a function or a module is
// a finding, which a comment can allow.
func TestProbableMistakes(t *testing.T) {
	const door = `sesame.door "d" { sequence = { 100, "udp/200", 900, 400 }, guards = 22, on_open = `
	const lan = `local lan = sesame.networks { "192.0.2.0/24" }` + "\n"
	const noBan = `attempt has no "ban"`
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"a variable", door + `function(x) local a = x a:ban() x:allow() end }`, []string{"a.lua:1: " + noBan}},
		{"a variable that has a store", door + `function(x) local s = x.store s:gett("k") x:allow() end }`, []string{`a.lua:1: store has no "gett": did you mean "get"?`}},
		{"a helper", "local function help(a) a:ban() end\n" + door + `function(x) help(x) x:allow() end }`, []string{"a.lua:1: " + noBan}},
		{"a helper of a helper", "local function one(a) a:ban() end local function two(n, a) one(a) end\n" + door + `function(x) two(1, x) x:allow() end }`,
			[]string{"a.lua:1: " + noBan}},
		{"a helper that is a hook too", "local function help(a) a:ban() end\n" + door + `function(x) x:allow() end, on_miss = help, on_stage = function(x) help(x) end }`,
			[]string{"a.lua:1: " + noBan}},
		{"a function that a function makes", "local function make(n) return function(a) a:allow() a:ban(n) end end\n" + door + `make(1) }`, []string{"a.lua:1: " + noBan}},
		{"a function of a table", "local t = {} function t.open(a) a:allow() a:ban() end\n" + door + `t.open }`, []string{"a.lua:1: " + noBan}},
		{"a function of a module", `local m = require "m"` + "\n" + door + `m.open }`, []string{"lib/m.lua:1: " + noBan}},
		{"a helper of a module", `local m = require "m"` + "\n" + door + `function(a) m.open(a) end }`, []string{"lib/m.lua:1: " + noBan}},
		{"a table in a variable", "local o = { sequence = { 100, \"udp/200\", 900, 400 }, guards = 22, on_open = function(a) a:allow() a:ban() end }\nsesame.door \"d\" (o)", []string{"a.lua:1: " + noBan}},
		{"sesame under another name", "local s = sesame.door\ns \"d\" { sequence = { 100, \"udp/200\", 900, 400 }, guards = 22, on_open = function(a) a:allow() a:ban() end }", []string{"a.lua:2: " + noBan}},
		{"a helper of two kinds", "local function help(a) a:log(a.id) end\n" + door + `function(x) x:allow() help(x) end, on_close = function(g) help(g) end }`,
			[]string{`a.lua:1: attempt has no "id"`}},
		{"a comment that allows it", "local function help(a) a:ban() end -- sesame:allow mistake it is a test\n" + door + `function(x) help(x) x:allow() end }`, nil},
		{"a parameter that is assigned", door + `function(x) x = x x:ban() x:allow() end }`, nil},
		{"another variable of the name", door + `function(x) do local x = { ban = print } x.ban() end x:allow() end }`, nil},
		{"a function that is not called", "local function never(attempt) attempt:ban() end\n" + door + `function(x) x:allow() end }`, nil},
		{"a condition of a module in a test", `local m = require "n"` + "\n" + door + `function(a) if m.lan then a:allow() end end }`,
			[]string{"a.lua:2: m.lan is a condition, which is always true here: write a:holds(m.lan)"}},
		{"conditions of a module", `local m = require "n"` + "\n" + door + `function(a) a:allow() end, when = m.lan and m.hours }`,
			[]string{"a.lua:2: and leaves only one of the conditions: write sesame.all { m.lan, m.hours }"}},
		{"a condition under another name", lan + "local l = lan\n" + door + `function(a) if l then a:allow() end end }`,
			[]string{"a.lua:3: l is a condition, which is always true here: write a:holds(l)"}},
		{"a default for a condition", lan + "local t = {}\n" + door + `function(a) a:allow() end, when = t.hours or lan }`, nil},
		{"a condition if there is something", lan + `local u = { limited = true }` + "\n" + door + `function(a) a:allow() end, when = u.limited and lan or nil }`, nil},
		{"a condition if there is something, else another", lan + `local u = { limited = true }` + "\n" + door + `function(a) a:allow() end, when = u.limited and lan or u.y or sesame.any { lan } }`, nil},
		{"a condition for a function", lan + `local function with(c) return c or lan end` + "\n" + door + `function(a) a:allow() end, when = with() }`, nil},
		{"a condition of a branch", lan + `local t = {} if #"x" == 2 then t.c = lan end` + "\n" + door + `function(a) if t.c and not a:holds(t.c) then return false end a:allow() end }`, nil},
		{"a condition that is assigned later", lan + `local c = sesame.any { lan } c = nil` + "\n" + door + `function(a) if c then return false end a:allow() end }`, nil},
		{"conditions that are compared", lan + door + `function(a) if lan == nil or lan ~= lan then return false end a:allow() end }`, nil},
		{"one of two conditions", lan + door + `function(a) local c = a.stage == 4 and lan or nil if a:holds(c or lan) then a:allow() end end }`, nil},
		{"a helper that returns a condition", lan + `local function which() return lan end` + "\n" + door + `function(a) if a:holds(which()) then a:allow() end end }`, nil},
		{"a computed name", door + `function(x) x["b" .. "an"](x) x:allow() end }`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"a.lua": tt.text, "lib/m.lua": "return { open = function(a) a:allow() a:ban() end }",
				"lib/n.lua": `local M = {} M.lan = sesame.networks { "192.0.2.0/24" } M.hours = sesame.window { from = "08:00", to = "19:00", tz = "UTC" } return M`}
			set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var got []string
			for _, f := range lint.Check(set) {
				if f.ID != lint.Short && f.ID != lint.NoWayBack {
					message, _, _ := strings.Cut(f.Message, ": expected one of")
					got = append(got, fmt.Sprintf("%s:%d: %s", f.File, f.Line, message))
				}
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNamesUnderAnOption: one set may be for many machines. A name that is missing on some of them
// stops none, since the functions may ask for it under the same option.
func TestNamesUnderAnOption(t *testing.T) {
	const head = `local vpn = sesame.option "with_vpn" { type = "boolean", default = false }
local function ports() return { sequence = { 9, 8, 7, "udp/6" }, guards = 51820 } end
`
	const uses = `
sesame.door "ssh" { sequence = { 100, "udp/200", 900, 400 }, guards = 22, on_open = function(attempt)
  attempt:allow()
  if vpn then
    if attempt:granted "vpn" then attempt:log "has" end
    attempt:close "vpn"
    attempt:after("10m", "remind")
  end
end }`
	granted, closed, handler := `there is no door "vpn"`, `close: there is no door "vpn"`, `no handler "remind" is registered in this file`
	for _, tt := range []struct {
		name, text string
		rejected   bool
		want       []string
	}{
		{"a door and a handler", `if vpn then sesame.door "vpn" (ports()) sesame.handler("remind", function(timer) timer:log "x" end) end`, false, []string{closed, granted, handler}},
		{"with other registrations that are computed", `for _, name in ipairs(vpn and { "vpn", "remind" } or {}) do sesame.door(name)(ports()) end`, false, []string{closed, granted, handler}},
		{"with names that are made", `if vpn then sesame.door("v" .. "pn")(ports()) sesame.handler("re" .. "mind", function() end) end`, false, []string{closed, granted, handler}},
		{"through variables", `local door, handler, kind = sesame.door, sesame.handler, "vpn" if vpn then door(kind)(ports()) handler("remind", function() end) end`, false, []string{closed, granted, handler}},
		{"in a module", `if vpn then require "m" end`, false, []string{closed, granted, handler}},
		{"nowhere", ``, true, []string{closed, granted, handler}},
		{"as other kinds", `if vpn then sesame.handler("vqn", function() end) sesame.door "reminder" (ports()) end`, true, []string{closed, granted, handler}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"a.lua": head + tt.text + uses, "b.lua": `require "m"`,
				"lib/m.lua": `return function() sesame.door "vpn" { sequence = { 9, 8, 7, "udp/6" }, guards = 51820 } sesame.handler("remind", function() end) end`}
			if tt.name != "in a module" {
				delete(files, "lib/m.lua")
				delete(files, "b.lua")
			}
			set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
			if err == nil {
				defer set.Close()
				for _, m := range set.Mistakes {
					err = errors.Join(err, errors.New(m.Message))
				}
			}
			if rejected := set == nil; rejected != tt.rejected {
				t.Fatalf("rejected: %v\n%v", rejected, err)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("expected %q, got:\n%v", want, err)
				}
			}
			if set != nil && len(set.Mistakes) != len(tt.want) {
				t.Errorf("%d findings, want %d:\n%v", len(set.Mistakes), len(tt.want), err)
			}
			set, err = scripting.Load(sourcetest.Files(files), scripting.Options{Values: map[string]string{"with_vpn": "true"}})
			switch {
			case tt.rejected || tt.name == "with other registrations that are computed" || tt.name == "in a module":
			case err != nil:
				t.Errorf("with the option: %v", err)
			case len(set.Mistakes) > 0:
				t.Errorf("with the option: %+v", set.Mistakes)
			}
			if set != nil {
				set.Close()
			}
		})
	}
}

// TestAFunctionThatRaises: a when that never returns refuses with an error, and is no mistake.
func TestAFunctionThatRaises(t *testing.T) {
	for body, nothing := range map[string]bool{
		`error("not today")`:                                          false,
		`local x = 1 do error("not today") end`:                       false,
		`if attempt.port then error("a") else assert(false, "b") end`: false,
		`if attempt.port then error("a") end`:                         true,
		`refuse("a")`:                                                 false,
		`hello()`:                                                     true,
		`local error = hello error("a")`:                              true,
		`error("a") hello()`:                                          true,
	} {
		text := `local function refuse(why) error(why) end local function hello() end
sesame.door "d" { sequence = { 100, "udp/200", 900, 400 }, guards = 22, when = function(attempt) ` + body + ` end }`
		set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
		if err == nil {
			set.Close()
		}
		if found := err != nil && strings.Contains(err.Error(), "returned nothing"); found != nothing || err != nil && !found {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// luaBlock is an example in a page, with the name of its file when the first
// line is a comment with it.
var luaBlock = regexp.MustCompile("(?s)```lua\n(?:-- (\\S+\\.lua)[^\n]*\n)?(.*?)```")

// TestRightScriptsHaveNoMistakes loads all scripts that are shipped, and the
// examples of each page together.
func TestRightScriptsHaveNoMistakes(t *testing.T) {
	sets := map[string]map[string]string{"scripts": {}}
	for _, pattern := range []string{"../scripts/*.lua", "../scripts/lib/*.lua", "../scripts/lists/*", "../docs/*.md", "../CONTRIBUTING.md", "../README.md"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if list, found := strings.CutPrefix(name, "../scripts/lists/"); found {
				sets["scripts"]["/srv/scripts/lists/"+list] = string(text)
				continue
			}
			if filepath.Ext(name) == ".lua" {
				sets["scripts"][strings.TrimPrefix(name, "../scripts/")] = string(text)
				continue
			}
			for i, block := range luaBlock.FindAllStringSubmatch(string(text), -1) {
				sets[fmt.Sprintf("%s, example %d", name, i+1)] = map[string]string{cmp.Or(block[1], "a.lua"): block[2]}
			}
		}
	}
	loaded := 0
	for name, files := range sets {
		set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
		if err != nil {
			if len(files) > 1 {
				t.Errorf("%s: %v", name, err)
			}
			continue // a part of a script, or one that needs a module
		}
		loaded++
		for _, m := range set.Mistakes {
			t.Errorf("%s: %s:%d: %s", name, m.File, m.Line, m.Message)
		}
		set.Close()
	}
	if loaded < 5 {
		t.Errorf("%d sets load: expected more examples that are whole", loaded)
	}
}

// TestWhatIsCertainFails holds that no right script is refused: each call that
// is refused for its text fails when it runs. The calls are random, of all
// members of the API.
func TestWhatIsCertainFails(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	const script = `
local audit = sesame.command { "/bin/audit", "{source}", choices = { level = { "low", "high" } } }
local hours = sesame.window { from = "08:00", to = "19:00", tz = "UTC" }
sesame.handler("remind", function(timer) HIDE_timer TIMER end)
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, ttl = "1m",
  on_open = function(attempt) HIDE_attempt attempt:allow() attempt:after("1s", "remind") ATTEMPT end,
  on_close = function(grant) HIDE_grant GRANT end }
sesame.listen "beacon" { on = "udp/1", guards = 22, on_knock = function(knock) HIDE_knock KNOCK end }`
	var value func(depth int) string
	value = func(depth int) string {
		if depth > 0 && random.IntN(3) == 0 {
			entry := func() string {
				return pick("", "port = ", "ttl = ", "prefix4 = ", "prefix6 = ", "level = ", "source = ", "hour = ") + value(depth-1)
			}
			return "{ " + pick("", entry(), entry()+", "+entry()) + " }"
		}
		return pick(`"1m"`, `"remind"`, `"ssh"`, `"other"`, `"tcp/22"`, `"low"`, `""`, "0", "1", "22", "-1", "3600", "1.5", "true", "nil", "audit", "hours", "{}", "OBJECT", "OBJECT.time", "function() end")
	}
	members, examples := map[string][]string{}, map[string][]string{}
	for _, o := range scripting.API() {
		for _, m := range o.Members {
			members[o.Name] = append(members[o.Name], m.Name)
			if m.Example != "" {
				examples[o.Name] = append(examples[o.Name], m.Example)
			}
		}
	}
	refused, accepted := 0, 0
	for range 400 {
		object := pick("attempt", "knock", "grant", "timer")
		call := object + pick(":", ":", ":", ".") + pick(members[object]...)
		if random.IntN(4) == 0 {
			call = object + ".store" + pick(":", ":", ".") + pick(members["store"]...)
		}
		args := value(2)
		for range random.IntN(3) {
			args += ", " + value(2)
		}
		line := strings.ReplaceAll(call+"("+pick("", args, args, args)+")", "OBJECT", object)
		if random.IntN(2) == 0 {
			line = changed(pick(examples[object]...), value(1), random.IntN(6))
			line = strings.ReplaceAll(line, "OBJECT", object)
		}
		load := func(hide string) (*scripting.Set, error) {
			text := react(script, object, line)
			for _, one := range []string{"attempt", "knock", "grant", "timer"} {
				text = strings.ReplaceAll(text, "HIDE_"+one, strings.ReplaceAll(hide, "OBJECT", one))
			}
			return scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
		}
		set, err := load("")
		if err == nil {
			set.Close()
			accepted++
			continue
		}
		refused++
		if strings.Contains(err.Error(), "stands twice") {
			continue // Lua would use the later value
		}
		set, hidden := load("OBJECT = OBJECT")
		if hidden != nil {
			continue // a name that is checked wherever it stands in the text, such as that of close
		}
		w := newWorld(t, set)
		w.knock(alice, "tcp/1", "tcp/2", "udp/1")
		w.later(120e9)
		if got := all(w); !strings.Contains(got, "error") {
			t.Errorf("%s is refused, and works:\n%v\n%s", line, err, got)
		}
	}
	if refused < 100 || accepted < 50 {
		t.Errorf("%d calls are refused, %d are not: expected many of both", refused, accepted)
	}
}

var literal = regexp.MustCompile(`"[^"]*"|\b\d+\b`)

// changed replaces one of the literals of a line by a value; when there are
// fewer than n, none.
func changed(line, value string, n int) string {
	at := literal.FindAllStringIndex(line, -1)
	if n >= len(at) {
		return line
	}
	return line[:at[n][0]] + "(" + value + ")" + line[at[n][1]:]
}

// A set that ran before runs again: a version that did not look for mistakes has applied it.
func TestASetThatRanBefore(t *testing.T) {
	files := sourcetest.Files(map[string]string{"ssh.lua": `
sesame.door "ssh" { sequence = { 7001, 7003, 7002, 7009 }, guards = "tcp/22", on_open = function(attempt) attempt:ban() end }
`})
	if _, err := scripting.Load(files, scripting.Options{}); err == nil {
		t.Fatal("the set has a mistake and loads")
	}
	set, err := scripting.Load(files, scripting.Options{RanBefore: true})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if len(set.Mistakes) != 1 || set.Mistakes[0].Line != 2 {
		t.Errorf("mistakes %+v", set.Mistakes)
	}
}
