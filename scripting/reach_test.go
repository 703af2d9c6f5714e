package scripting_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
)

// TestADoorGoesNoFurtherThanItsText hides an allow in door "b" of a file whose
// other door may do much. HERE stands in door "b", and OUT outside of doors.
func TestADoorGoesNoFurtherThanItsText(t *testing.T) {
	const script = `
local hidden, shared = "al" .. "low", {}
local cut = "clo" .. "se"
shared.give = OUT
sesame.door "a" { sequence = { 1, 2 }, guards = 21, on_open = function(a) a:allow { port = a.port, prefix4 = a.stages } a:allow() a:close(a.door) end }
sesame.door "b" { sequence = { 3, 4 }, guards = 22, ports = PORTS, on_open = function(b) HERE end }`
	const refused = "refuse b script_error"
	for _, tt := range []struct{ name, out, ports, here, want string }{
		{"a port that another door computes", "1", "nil", `b[hidden](b, { port = 3306 })`, refused},
		{"the guards, as another door", "1", "nil", `b[hidden](b)`, refused},
		{"a guard by its name", "1", "nil", `b[hidden](b, { port = 22 })`, refused},
		{"a port that is only declared", "1", "443", `b[hidden](b, { port = 443 })`, refused},
		{"a port that this door names", "1", "nil", `if b.stage == 0 then b:allow { port = 443 } end b[hidden](b, { port = 443 })`, "allow 203.0.113.9/32 tcp/443 30s"},
		{"one more than this door names", "1", "nil", `if b.stage == 0 then b:allow { port = 443 } end b[hidden](b, { port = { 443, 444 } })`, refused},
		{"the guards, that this door names", "1", "nil", `if b.stage == 0 then b:allow() end b[hidden](b)`, "allow 203.0.113.9/32 tcp/22 30s"},
		{"another port than the guards", "1", "nil", `if b.stage == 0 then b:allow() end b[hidden](b, { port = 443 })`, refused},
		{"what is said outside of doors", "function(x) x:allow { port = 443 } end", "nil", `b[hidden](b, { port = 443 })`, "allow 203.0.113.9/32 tcp/443 30s"},
		{"computed outside of doors", "function(x, p) x:allow { port = p } end", "nil", `shared.give(b, 443)`, "allow 203.0.113.9/32 tcp/443 30s"},
		{"computed outside of doors, and bounded here", "function(x, p) x:allow { port = p } end", "80", `shared.give(b, 443)`, refused},
		{"a wider network than this door names", "1", "nil", `if b.stage == 0 then b:allow { port = 443, prefix4 = 24 } end b[hidden](b, { port = 443, prefix4 = 23 })`, refused},
		{"a network that this door names", "1", "nil", `if b.stage == 0 then b:allow { port = 443, prefix4 = 24 } end b[hidden](b, { port = 443, prefix4 = 24 })`, "allow 203.0.113.0/24 tcp/443 30s"},
		{"a wider IPv6 network", "1", "nil", `if b.stage == 0 then b:allow { port = 443 } end b[hidden](b, { port = 443, prefix6 = 1 })`, refused},
		{"a network that is computed", "1", "nil", `b:allow { port = 443, prefix4 = 8 * b.stage }`, "allow 203.0.0.0/16 tcp/443 30s"},
		{"a door that another closes", "1", "nil", `b[cut](b, "a")`, refused},
		{"a door that this one closes", "1", "nil", `if b.stage == 0 then b:close "a" end b[cut](b, "a")`, "open b 203.0.113.9"},
		{"another door than this one closes", "1", "nil", `if b.stage == 0 then b:close "a" end b[cut](b, "b")`, refused},
		{"close under another name", "1", "nil", `local close = b.close close(b, "a")`, "open b 203.0.113.9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := theScript(t, strings.NewReplacer("OUT", tt.out, "PORTS", tt.ports, "HERE", tt.here).Replace(script))
			w.knock(alice, "tcp/3", "tcp/4")
			if got := all(w); !strings.Contains(got, tt.want+"\n") || tt.want == refused && strings.Contains(got, "allow 203") {
				t.Errorf("got\n%swant %s", got, tt.want)
			}
		})
	}
}

// A function that was registered in a door is still that door's text, wherever
// it is called from.
func TestAFunctionOfAnotherDoor(t *testing.T) {
	w := theScript(t, `
local a = { sequence = { 1, 2 }, guards = 21 }
a.on_open = function(x) x:allow { port = 80 } end
local options = { on_open = function(x) x:allow() end }
sesame.door "a" (a)
sesame.door "b" { sequence = { 3, 4 }, guards = 22, on_open = options.on_open }
sesame.door "c" { sequence = { 5, 6 }, guards = 23, on_open = (function() local f = function(x) x:allow { port = 9 } end a.on_miss = f return f end)() }
sesame.door "d" { sequence = { 7, 8 }, guards = 24, on_open = a.on_miss }`)
	w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4", "tcp/5", "tcp/6", "tcp/7", "tcp/8")
	w.want("open a 203.0.113.9", "allow 203.0.113.9/32 tcp/80 30s", "open b 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s",
		"open c 203.0.113.9", "allow 203.0.113.9/32 tcp/9 30s",
		`error ssh.lua:7: allow of tcp/9: no allow in door "d" or outside of doors names it: write allow { port = "tcp/9" } there`, "refuse d script_error")
}

func TestSites(t *testing.T) {
	w := theScripts(t, map[string]string{
		"a.lua":     "require 'm' require 'n'\nsesame.door 'a' { sequence = { 1, 2 }, guards = 22, on_open = function(x) x:allow() end }",
		"b.lua":     "require 'n'\nlocal function stop(x) x:close 'a' end",
		"lib/m.lua": "sesame.door 'm' { sequence = { 3, 4 }, on_open = function(x) x:allow { port = 80, prefix4 = 24, prefix6 = x.stage } end }",
		"lib/n.lua": "local function give(x) x:allow { port = x.port, prefix4 = 0 } end\nlocal t = { sesame = {} } local never = function() t.sesame.door 'fake' { f = function(x) x:allow() end } end",
	}, scripting.Options{})
	var got []string
	for _, file := range w.set.Files {
		allows, closes := w.set.Sites(file.Path)
		for _, s := range allows {
			got = append(got, fmt.Sprintf("%s: allow %s in %q literal=%t %v /%d /%d", file.Path, s.Place, s.Door, s.Literal, s.Ports, s.Prefix4, s.Prefix6))
		}
		for _, s := range closes {
			got = append(got, fmt.Sprintf("%s: close %s in %q %q", file.Path, s.Place, s.Door, s.Target))
		}
	}
	want := []string{
		`a.lua: allow a.lua:2:75 in "a" literal=true [] /0 /0`,
		`a.lua: allow lib/m.lua:1:62 in "m" literal=true [tcp/80] /24 /-1`,
		`a.lua: allow lib/n.lua:1:24 in "" literal=false [] /-1 /0`,
		`b.lua: allow lib/n.lua:1:24 in "" literal=false [] /-1 /0`,
		`b.lua: close b.lua:2:24 in "" "a"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
	if d := w.set.Engine.Doors[0]; d.Name != "m" || d.Script != "a.lua" || d.File != "lib/m.lua" || d.Line != 1 {
		t.Errorf("door %s of %s is at %s:%d", d.Name, d.Script, d.File, d.Line)
	}
}

func TestCommandsOfAModule(t *testing.T) {
	w := theScripts(t, map[string]string{
		"a.lua":     `local make = require "m" make.command { "/bin/x", undo = { "/bin/y" } } make.command { "/bin/x", "{n}", choices = { n = { "1" } } }`,
		"b.lua":     `local make = require "m" make.command { "/bin/x" } make.command { "/bin/x", "{n}", choices = { n = { "2" } } } make.command { "/bin/x" }`,
		"lib/m.lua": `return { command = function(options) return sesame.command(options) end }`,
	}, scripting.Options{})
	var got []string
	for _, c := range w.set.Commands {
		got = append(got, fmt.Sprint(c.Argv, c.Undo, c.Choices))
	}
	want := []string{"[/bin/x] [/bin/y] map[]", "[/bin/x {n}] [] map[n:[1]]", "[/bin/x] [] map[]", "[/bin/x {n}] [] map[n:[2]]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
