package lint

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// load loads one script, a.lua.
func load(t *testing.T, text string) *scripting.Set {
	t.Helper()
	set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// In these scripts a door is one line, so a line number identifies the door.
func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string // line and id
	}{
		{"nothing", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, nil},
		{"ascending", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22 }`, []string{"1 ascending"}},
		{"descending", `sesame.door "a" { sequence = { 4, 3, 2, 1 }, guards = 22 }`, []string{"1 descending"}},
		{"the same port again stops a scan", `sesame.door "a" { sequence = { 1, 2, 2, 4, 5 }, guards = 22 }`, nil},
		{"what lies between disturbs a strict door", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true }`, nil},
		{"going down too", `sesame.door "a" { sequence = { 5, 4, 2, 1 }, guards = 22, strict = true }`, nil},
		{"nothing lies between", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"nothing lies between going down", `sesame.door "a" { sequence = { 4, 3, 2, 1 }, guards = 22, strict = true }`, []string{"1 descending"}},
		{"nothing lies beyond the last port", `sesame.door "a" { sequence = { 65532, 65533, 65534, 65535 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"a guarded port lies between", `sesame.door "a" { sequence = { 20, 21, 23, 24 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"a port that another guards lies between", `sesame.door "a" { sequence = { 20, 21, 23, 24 }, guards = 80, strict = true }
			sesame.door "b" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, []string{"1 ascending"}},
		{"an excepted port lies between", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true, except = 3 }`, []string{"1 ascending"}},
		{"one of another protocol is excepted", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true, except = "udp/3" }`, nil},
		{"a strict door ignores what lies between", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22, strict = true, on_wrong = "ignore" }`, []string{"1 ascending"}},
		{"strict minds no FIN", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, flags = "fin", guards = 22, strict = true }`, []string{"1 ascending"}},
		{"one protocol after the other", `sesame.door "a" { sequence = { 7000, 9000, "udp/100", "udp/200" }, guards = 22 }`, []string{"1 ascending"}},
		{"down, one protocol after the other", `sesame.door "a" { sequence = { "udp/200", "udp/100", 9000, 7000 }, guards = 22 }`, []string{"1 descending"}},
		{"up in one protocol, down in the other", `sesame.door "a" { sequence = { 7000, 9000, "udp/200", "udp/100" }, guards = 22 }`, nil},
		{"protocols that take turns", `sesame.door "a" { sequence = { 1, "udp/2", 3, 4 }, guards = 22 }`, nil},
		{"short", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, []string{"1 short"}},
		{"one port again and again", `sesame.door "a" { sequence = { 7000, 7000, 7000, 7000 }, guards = 22 }`, []string{"1 short"}},
		{"one number, two protocols", `sesame.door "a" { sequence = { 4, "udp/4", 2, "udp/2" }, guards = 22 }`, nil},
		{"other flags are no other port", `sesame.door "a" { sequence = { 4, 3, 2, { 2, flags = "fin" } }, guards = 22 }`, []string{"1 short"}},
		{"one knock", `sesame.door "a" { sequence = { 4 }, guards = 22 }`, []string{"1 no-limit", "1 short"}},
		{"one knock with a limit", `sesame.door "a" { sequence = { 4 }, guards = 22, limit = "3/h" }`, []string{"1 short"}},
		{"prefix", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1, 5 }, guards = 22 }`, []string{"1 prefix"}},
		{"twins", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, []string{"2 prefix"}},
		{"flags that no packet has with the other's", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1, 5 }, flags = "fin,!syn", guards = 22 }`, nil},
		{"flags that a packet can have with the other's", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1, 5 }, flags = "syn", guards = 22 }`, []string{"1 prefix"}},
		{"twins but for flags", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1 }, flags = "fin", guards = 22 }`, []string{"2 prefix"}},
		{"in the middle of another", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 9, 4, 2, 3, 1, 8 }, guards = 22 }`, []string{"1 prefix"}},
		{"spread over another", `sesame.door "a" { sequence = { 9, 8, 4, 2, 7, 3, 6, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, []string{"2 prefix"}},
		{"out of order in another", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 3, 9, 2, 1 }, guards = 22 }`, nil},
		{"its own port comes between", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 4, 3, 1 }, guards = 22 }`, nil},
		{"its own port comes between and is ignored", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_wrong = "ignore" }
			sesame.door "b" { sequence = { 4, 2, 4, 3, 1 }, guards = 22 }`, []string{"1 prefix"}},
		{"a repeat is forgiven", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 2, 3, 1 }, guards = 22 }`, []string{"1 prefix"}},
		{"a repeat is wrong", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, duplicates = "wrong" }
			sesame.door "b" { sequence = { 4, 2, 2, 3, 1 }, guards = 22 }`, nil},
		{"it begins again within another", `sesame.door "a" { sequence = { 4, 2, 4, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 4, 2, 4, 3, 1 }, guards = 22 }`, []string{"1 prefix"}},
		{"a strict one spread over another", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, strict = true }
			sesame.door "b" { sequence = { 4, 2, 9, 3, 1 }, guards = 22 }`, nil},
		{"a strict one in the middle of another", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, strict = true }
			sesame.door "b" { sequence = { 9, 4, 2, 3, 1, 8 }, guards = 22 }`, []string{"1 prefix"}},
		{"a strict one spread over ports that it does not mind", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, strict = true, except = 9 }
			sesame.door "b" { sequence = { 4, 2, 9, 3, 1 }, guards = 22 }`, []string{"1 prefix"}},
		{"no effect", `sesame.door "a" { sequence = { 4, 2, 3, 1 } }`, []string{"1 no-effect"}},
		{"a function is an effect", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, on_open = function(a) a:log("hello") end }`, nil},
		{"unguarded", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, on_open = function(a) a:allow { port = 80 } end }`, []string{"1 unguarded"}},
		{"guarded by another", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, on_open = function(a) a:allow { port = 22 } end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22 }`, nil},
		{"any port", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:allow { port = a.door } end }`, []string{"1 any-port"}},
		{"any of a list", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = { 22, 80 }, ports = { 80 }, on_open = function(a) a:allow { port = a.door } end }`, nil},
		{"a listener is no sequence", `sesame.listen "a" { on = { "udp/1", "udp/2" }, guards = 22, on_knock = function(k) k:allow() end }`, nil},
		{"no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }`, []string{"2 no-way-back"}},
		{"a way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, on_open = function(a) a:allow { port = 22 } end }`, nil},
		{"a function that allows nothing", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"1 no-way-in"}},
		{"a door that only observes", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, mode = "observe", on_open = function(a) a:log("x") end }`, nil},
		{"a way in that is only observed", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22, mode = "observe" }`, []string{"1 no-way-in"}},
		{"a listener that allows nothing", `sesame.listen "a" { on = "udp/1", guards = 22, on_knock = function(k) k:log("x") end }`, []string{"1 no-way-in"}},
		{"a function that allows another port", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = { 22, 80 }, on_open = function(a) a:allow { port = 80 } end }`, []string{"1 no-way-in"}},
		{"a function that allows", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:allow() end }`, nil},
		{"a function outside that allows", `local function give(a) a:allow() end
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = give }`, nil},
		{"another door's function allows its own guards", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 80, on_open = function(a) a:allow() end }`, []string{"1 no-way-in"}},
		{"another door's function can allow any port", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, on_open = function(a) a:allow { port = a.door } end }`, []string{"2 any-port"}},
		{"another door may not allow it", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 80, ports = { 80 }, on_open = function(a) a:allow { port = a.door } end }`, []string{"1 no-way-in"}},
		{"no way in, told once", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"1 no-way-in"}},
		{"a door that allows nothing is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"2 no-way-back"}},
		{"a listener that allows nothing is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }
			sesame.listen "b" { on = "udp/5", guards = 22, on_knock = function(k) k:log("x") end }`, []string{"2 no-way-back"}},
		{"a port that is only listed is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 80, ports = { 22 } }`, []string{"2 no-way-back"}},
		{"a port that is listed and allowed is a way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 80, ports = { 22 }, on_open = function(a) a:allow { port = a.door } end }`, nil},
		{"never", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "wed", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22 }`, []string{"2 window-never"}},
		{"sometimes, far apart", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "tue", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22 }`, nil},
		{"allowed on the line", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 } -- sesame:allow short enough here`, nil},
		{"allowed on the line above", "-- sesame:allow short enough here\n" + `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, nil},
		{"allowed too far above", "-- sesame:allow short enough here\n\n" + `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, []string{"1 unused-allow", "3 short"}},
		{"allowed in the comments above", "-- sesame:allow ascending a toy\n-- sesame:allow short a toy\n" + `sesame.door "a" { sequence = { 2, 3, 4 }, guards = 22 }`, nil},
		{"what is no finding is allowed", `sesame.door "a" { sequence = { 4, 2, 3, 9 }, guards = 22 } -- sesame:allow shrot a toy`, []string{"1 unknown-id"}},
		{"another is allowed", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 } -- sesame:allow ascending enough here`, []string{"1 short", "1 unused-allow"}},
		{"nothing is there to allow", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 } -- sesame:allow short enough here`, []string{"1 unused-allow"}},
		{"nothing is there, and no reason", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 } -- sesame:allow short`, []string{"1 no-reason"}},
		{"allowed without a reason", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 } -- sesame:allow short`, []string{"1 no-reason"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(load(t, test.script)) {
				got = append(got, fmt.Sprintf("%d %s", f.Line, f.ID))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A hint names a cure only where it is one.
func TestStrictIsNoCureForAdjacentPorts(t *testing.T) {
	for script, want := range map[string]string{
		`sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22 }`:                      "mix the order of the ports, or set strict = true",
		`sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22 }`:                      "mix the order of the ports: strict = true is no cure here",
		`sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22, strict = true }`:       "mix the order of the ports: strict = true is no cure here",
		`sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22, on_wrong = "ignore" }`: "mix the order of the ports: strict = true is no cure here",
	} {
		found := Check(load(t, script))
		if len(found) != 1 || found[0].Hint != want {
			t.Errorf("%s:\ngot %+v\nwant the hint %q", script, found, want)
		}
	}
}

// A module's functions can be called by whatever requires it, a script's by
// its own doors alone.
func TestAllowsOfOtherFiles(t *testing.T) {
	const shut = `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, on_open = GIVE }`
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"a module", map[string]string{
			"a.lua":        `local m = require "give"` + "\n" + strings.ReplaceAll(shut, "GIVE", "m.give"),
			"lib/give.lua": "return { give = function(a) a:allow() end }",
		}, 0},
		{"a module that it does not require", map[string]string{
			"a.lua":        strings.ReplaceAll(shut, "GIVE", "function() end"),
			"b.lua":        `require "give"`,
			"lib/give.lua": "return { give = function(a) a:allow { port = 22 } end }",
		}, 1},
		{"a door that a module registers", map[string]string{
			"a.lua":        `require "shut"`,
			"lib/shut.lua": strings.ReplaceAll(shut, "GIVE", "function(a) a:allow() end"),
		}, 0},
		{"allowed in a module", map[string]string{
			"a.lua":        `require "shut"`,
			"lib/shut.lua": strings.ReplaceAll(shut, "GIVE", "function() end") + " -- sesame:allow no-way-in a toy",
		}, 0},
		{"another script", map[string]string{
			"a.lua": strings.ReplaceAll(shut, "GIVE", "function() end"),
			"b.lua": `local function give(a) a:allow { port = 22 } end`,
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := scripting.Load(sourcetest.Files(test.files), scripting.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(set.Close)
			if found := Check(set); len(found) != test.want {
				t.Errorf("got %+v, want %d findings", found, test.want)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, doors := range []int{1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(doors), func(b *testing.B) {
			set := &scripting.Set{Engine: &engine.Set{}}
			random := rand.New(rand.NewPCG(1, 2))
			for i := range doors {
				d := &engine.Door{Name: "door" + strconv.Itoa(i), Script: "a.lua", File: "a.lua", Line: i + 1, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}}}
				for range 4 {
					port := packet.Port{Proto: packet.TCP, Number: uint16(1 + random.IntN(65_535))}
					d.Sequence = append(d.Sequence, engine.Knock{Port: port, Flags: engine.SYN})
				}
				set.Engine.Doors = append(set.Engine.Doors, d)
			}
			for b.Loop() {
				Check(set)
			}
		})
	}
}

func TestNoWays(t *testing.T) {
	set := load(t, `
sesame.door "a" { sequence = { 1, 2 }, guards = { 22, 80 }, on_open = function(x) x:allow { port = "tcp/80" } end }
sesame.door "b" { sequence = { 1, 3 }, guards = { 443, 22 }, on_open = function(x) x:log("hello") end }`)
	if got := NoWays(set); len(got) != 2 || got[0].Number != 22 || got[1].Number != 443 {
		t.Errorf("no way into %v, want tcp/22 and tcp/443", got)
	}
}
