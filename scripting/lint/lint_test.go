package lint

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"nothing", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }`, nil},
		{"ascending", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22 }`, []string{"1 ascending"}},
		{"descending", `sesame.door "a" { sequence = { 4, 3, 2, 1 }, guards = 22 }`, []string{"1 descending"}},
		{"the same port again stops a scan", `sesame.door "a" { sequence = { 1, 2, 2, 4, 5 }, guards = 22 }`, []string{"1 side-by-side"}},
		{"what lies between disturbs a strict door", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true }`, []string{"1 side-by-side"}},
		{"going down too", `sesame.door "a" { sequence = { 5, 4, 2, 1 }, guards = 22, strict = true }`, []string{"1 side-by-side"}},
		{"nothing lies between", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"nothing lies between going down", `sesame.door "a" { sequence = { 4, 3, 2, 1 }, guards = 22, strict = true }`, []string{"1 descending"}},
		{"nothing lies beyond the last port", `sesame.door "a" { sequence = { 65532, 65533, 65534, 65535 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"a guarded port lies between", `sesame.door "a" { sequence = { 20, 21, 23, 24 }, guards = 22, strict = true }`, []string{"1 ascending"}},
		{"a port that another guards lies between", `sesame.door "a" { sequence = { 20, 21, 23, 24 }, guards = 80, strict = true }
			sesame.door "b" { sequence = { 400, 200, 300, 100 }, guards = 22 }`, []string{"1 ascending"}},
		{"an excepted port lies between", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true, except = 3 }`, []string{"1 ascending"}},
		{"one of another protocol is excepted", `sesame.door "a" { sequence = { 1, 2, 4, 5 }, guards = 22, strict = true, except = "udp/3" }`, []string{"1 side-by-side"}},
		{"a strict door ignores what lies between", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22, strict = true, on_wrong = "ignore", tripwires = 0 }`, []string{"1 ascending", "1 no-tripwires"}},
		{"strict minds no FIN", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, flags = "fin", guards = 22, strict = true, tripwires = 0 }`, []string{"1 ascending", "1 no-tripwires"}},
		{"one protocol after the other", `sesame.door "a" { sequence = { 7000, 9000, "udp/100", "udp/200" }, guards = 22, tripwires = 0 }`, []string{"1 ascending", "1 no-tripwires"}},
		{"down, one protocol after the other", `sesame.door "a" { sequence = { "udp/200", "udp/100", 9000, 7000 }, guards = 22, tripwires = 0 }`, []string{"1 descending", "1 no-tripwires"}},
		{"up in one protocol, down in the other", `sesame.door "a" { sequence = { 7000, 9000, "udp/200", "udp/100" }, guards = 22, tripwires = 0 }`, []string{"1 no-tripwires"}},
		{"protocols that take turns", `sesame.door "a" { sequence = { 1, "udp/2", 3, 4 }, guards = 22, tripwires = 0 }`, []string{"1 no-tripwires"}},
		{"a tripwire lies between", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22 }`, nil},
		{"a tripwire lies between going down", `sesame.door "a" { sequence = { 7, 5, 3, 1 }, guards = 22 }`, nil},
		{"a tripwire lies between, and wrong knocks are ignored", `sesame.door "a" { sequence = { 1, 3, 5, 7 }, guards = 22, on_wrong = "ignore" }`, nil},
		{"the tripwire between is guarded", `sesame.door "a" { sequence = { 1, 3, 9, 6 }, guards = 2 }`, []string{"1 side-by-side"}},
		{"the tripwire between is excepted", `sesame.door "a" { sequence = { 1, 3, 9, 6 }, guards = 22, except = 2 }`, []string{"1 side-by-side"}},
		{"the port between is of another door", `sesame.door "a" { sequence = { 1, 3, 9, 6 }, guards = 22 }
			sesame.door "b" { sequence = { 2, 30, 90, 60 }, guards = 22 }`, []string{"1 side-by-side"}},
		{"the port between is of a listener", `sesame.door "a" { sequence = { 1, 3, 9, 6 }, guards = 22 }
			sesame.listen "b" { on = "tcp/2", guards = 22, on_knock = function(k) k:allow() end }`, []string{"1 side-by-side"}},
		{"the port between is its own", `sesame.door "a" { sequence = { 2, 4, 3, 9 }, guards = 22 }`, []string{"1 side-by-side"}},
		{"its own port between is ignored", `sesame.door "a" { sequence = { 2, 4, 9, 3 }, guards = 22, on_wrong = "ignore" }`, []string{"1 side-by-side"}},
		{"its own port between resets", `sesame.door "a" { sequence = { 2, 4, 9, 3, 12 }, guards = 22 }`, nil},
		{"two protocols, one after the other, side by side", `sesame.door "a" { sequence = { 7000, 7100, "udp/7101", "udp/7300" }, guards = 22 }`, []string{"1 side-by-side"}},
		{"a tripwire of the other protocol lies between", `sesame.door "a" { sequence = { 7000, "udp/7002", 7200, "udp/7300" }, guards = 22 }`, nil},
		{"no tripwires, but strict", `sesame.door "a" { sequence = { 7000, 2000, 5000, 9000 }, guards = 22, strict = true, tripwires = 0 }`, nil},
		{"no tripwires, and strict that ignores", `sesame.door "a" { sequence = { 7000, 2000, 5000, 9000 }, guards = 22, strict = true, on_wrong = "ignore", tripwires = 0 }`, []string{"1 no-tripwires"}},
		{"no tripwires, and one knock", `sesame.door "a" { sequence = { 7000 }, guards = 22, tripwires = 0, limit = "1/m" } -- sesame:allow short meant`, nil},
		{"no tripwires, as is meant", `sesame.door "a" { sequence = { 7000, 2000, 5000, 9000 }, guards = 22, tripwires = 0 } -- sesame:allow no-tripwires an example`, nil},
		{"side by side, as is meant", `sesame.door "a" { sequence = { 7000, 7001, 5000, 9000 }, guards = 22 } -- sesame:allow side-by-side an example`, nil},
		{"short", `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 }`, []string{"1 short"}},
		{"one port again and again", `sesame.door "a" { sequence = { 7000, 7000, 7000, 7000 }, guards = 22 }`, []string{"1 short"}},
		{"one number, two protocols", `sesame.door "a" { sequence = { 4, "udp/4", 2, "udp/2" }, guards = 22 }`, []string{"1 side-by-side"}},
		{"other flags are no other port", `sesame.door "a" { sequence = { 4, 3, 2, { 2, flags = "fin" } }, guards = 22 }`, []string{"1 short", "1 side-by-side"}},
		{"one knock", `sesame.door "a" { sequence = { 400 }, guards = 22 }`, []string{"1 no-limit", "1 short"}},
		{"one knock whose payload is tested", `sesame.door "a" { sequence = { 400 }, guards = 22, prefix = "x" }`, []string{"1 no-limit"}},
		{"one knock with a limit", `sesame.door "a" { sequence = { 400 }, guards = 22, limit = "3/h" }`, []string{"1 short"}},
		{"a listener whose limit is shared", `sesame.listen "a" { on = "udp/53", guards = 22, limit = "5/s", on_knock = function(k) k:allow() end }`, []string{"1 shared-limit"}},
		{"a listener whose limit is shared, behind a test", `sesame.listen "a" { on = "udp/53", guards = 22, limit = "5/s", length = 9, on_knock = function(k) k:allow() end }`, nil},
		{"a listener with a limit of each source", `sesame.listen "a" { on = "udp/53", guards = 22, limit = "5/s per source", on_knock = function(k) k:allow() end }`, nil},
		{"a listener with the default limit", `sesame.listen "a" { on = "udp/53", guards = 22, on_knock = function(k) k:allow() end }`, nil},
		{"prefix", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100, 500 }, guards = 22 }`, []string{"1 prefix"}},
		{"twins", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100 }, guards = 22 }`, []string{"2 prefix"}},
		{"flags that no packet has with the other's", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100, 500 }, flags = "fin,!syn", guards = 22 }`, nil},
		{"flags that a packet can have with the other's", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100, 500 }, flags = "syn", guards = 22 }`, []string{"1 prefix"}},
		{"twins but for flags", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100 }, flags = "fin", guards = 22 }`, []string{"2 prefix"}},
		{"in the middle of another", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 900, 400, 200, 300, 100, 800 }, guards = 22 }`, []string{"1 prefix"}},
		{"spread over another", `sesame.door "a" { sequence = { 900, 800, 400, 200, 700, 300, 600, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 300, 100 }, guards = 22 }`, []string{"2 prefix"}},
		{"out of order in another", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 300, 900, 200, 100 }, guards = 22 }`, nil},
		{"its own port comes between", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 400, 300, 100 }, guards = 22 }`, nil},
		{"its own port comes between and is ignored", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_wrong = "ignore" }
			sesame.door "b" { sequence = { 400, 200, 400, 300, 100 }, guards = 22 }`, []string{"1 prefix"}},
		{"a repeat is forgiven", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 200, 300, 100 }, guards = 22 }`, []string{"1 prefix"}},
		{"a repeat is wrong", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, duplicates = "wrong" }
			sesame.door "b" { sequence = { 400, 200, 200, 300, 100 }, guards = 22 }`, nil},
		{"it begins again within another", `sesame.door "a" { sequence = { 400, 200, 400, 300, 100 }, guards = 22 }
			sesame.door "b" { sequence = { 400, 200, 400, 200, 400, 300, 100 }, guards = 22 }`, []string{"1 prefix"}},
		{"a strict one spread over another", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, strict = true }
			sesame.door "b" { sequence = { 400, 200, 900, 300, 100 }, guards = 22 }`, nil},
		{"a strict one in the middle of another", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, strict = true }
			sesame.door "b" { sequence = { 900, 400, 200, 300, 100, 800 }, guards = 22 }`, []string{"1 prefix"}},
		{"a strict one spread over ports that it does not mind", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, strict = true, except = 900 }
			sesame.door "b" { sequence = { 400, 200, 900, 300, 100 }, guards = 22 }`, []string{"1 prefix"}},
		{"no effect", `sesame.door "a" { sequence = { 400, 200, 300, 100 } }`, []string{"1 no-effect"}},
		{"a function is an effect", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, on_open = function(a) a:log("hello") end }`, nil},
		{"unguarded", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, on_open = function(a) a:allow { port = 80 } end }`, []string{"1 unguarded"}},
		{"guarded by another", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, on_open = function(a) a:allow { port = 22 } end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22 }`, nil},
		{"any port", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:allow { port = a.door } end }`, []string{"1 any-port"}},
		{"any of a list", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = { 22, 80 }, ports = { 80 }, on_open = function(a) a:allow { port = a.door } end }`, nil},
		{"a listener is no sequence", `sesame.listen "a" { on = { "udp/1", "udp/2" }, guards = 22, on_knock = function(k) k:allow() end }`, nil},
		{"no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }`, []string{"2 no-way-back"}},
		{"a way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, on_open = function(a) a:allow { port = 22 } end }`, nil},
		{"a function that allows nothing", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"1 no-way-in"}},
		{"a door that only observes", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, mode = "observe", on_open = function(a) a:log("x") end }`, nil},
		{"a way in that is only observed", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22, mode = "observe" }`, []string{"1 no-way-in"}},
		{"a listener that allows nothing", `sesame.listen "a" { on = "udp/1", guards = 22, on_knock = function(k) k:log("x") end }`, []string{"1 no-way-in"}},
		{"a function that allows another port", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = { 22, 80 }, on_open = function(a) a:allow { port = 80 } end }`, []string{"1 no-way-in"}},
		{"a function that allows", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:allow() end }`, nil},
		{"a function outside that allows", `local function give(a) a:allow() end
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = give }`, nil},
		{"another door's function allows its own guards", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 80, on_open = function(a) a:allow() end }`, []string{"1 no-way-in"}},
		{"another door's function can allow any port", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, on_open = function(a) a:allow { port = a.door } end }`, []string{"2 any-port"}},
		{"another door may not allow it", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 80, ports = { 80 }, on_open = function(a) a:allow { port = a.door } end }`, []string{"1 no-way-in"}},
		{"no way in, told once", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = function(a) a:log("x") end }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"1 no-way-in"}},
		{"a door that allows nothing is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22, on_open = function(a) a:log("x") end }`, []string{"2 no-way-back"}},
		{"a listener that allows nothing is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }
			sesame.listen "b" { on = "udp/5", guards = 22, on_knock = function(k) k:log("x") end }`, []string{"2 no-way-back"}},
		{"a port that is only listed is no way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 80, ports = { 22 } }`, []string{"2 no-way-back"}},
		{"a port that is listed and allowed is a way back", `local w = sesame.window { days = "mon", tz = "UTC" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = w }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 80, ports = { 22 }, on_open = function(a) a:allow { port = a.door } end }`, nil},
		{"never", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "wed", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22 }`, []string{"2 window-never"}},
		{"sometimes, far apart", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "tue", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 400, 200, 300, 500 }, guards = 22 }`, nil},
		{"allowed on the line", `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 } -- sesame:allow short enough here`, nil},
		{"allowed on the line above", "-- sesame:allow short enough here\n" + `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 }`, nil},
		{"allowed too far above", "-- sesame:allow short enough here\n\n" + `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 }`, []string{"1 unused-allow", "3 short"}},
		{"allowed in the comments above", "-- sesame:allow ascending a toy\n-- sesame:allow short a toy\n" + `sesame.door "a" { sequence = { 2, 3, 4 }, guards = 22 }`, nil},
		{"what is no finding is allowed", `sesame.door "a" { sequence = { 400, 200, 300, 900 }, guards = 22 } -- sesame:allow shrot a toy`, []string{"1 unknown-id"}},
		{"another is allowed", `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 } -- sesame:allow ascending enough here`, []string{"1 short", "1 unused-allow"}},
		{"nothing is there to allow", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 } -- sesame:allow short enough here`, []string{"1 unused-allow"}},
		{"nothing is there, and no reason", `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22 } -- sesame:allow short`, []string{"1 no-reason"}},
		{"allowed without a reason", `sesame.door "a" { sequence = { 400, 200, 300 }, guards = 22 } -- sesame:allow short`, []string{"1 no-reason"}},
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

// A hint names a cure only where it is one, and a message what computed figures say.
func TestFindingsAboutScans(t *testing.T) {
	for _, test := range []struct{ options, want string }{
		{`sequence = { 1, 3, 5, 7 }, tripwires = 0`, `
a.lua:1: ascending: the ports go up: a scan from low to high opens it: mix the order of the ports, and remove tripwires = 0
a.lua:1: no-tripwires: tripwires = 0: packets to other ports disturb no attempt: one scan of all TCP ports in about 24 opens it; 1 sweep of TCP ports 1-7 opens it, from low to high: remove tripwires = 0: then a scan makes wrong knocks on ports that nobody announces`},
		{`sequence = { 7, 5, 3, 1 }, tripwires = 0, on_wrong = "ignore", strict = true`, `
a.lua:1: descending: the ports go down, and nothing between them resets the door: a scan from high to low opens it: mix the order of the ports, and remove tripwires = 0
a.lua:1: no-tripwires: tripwires = 0: packets to other ports disturb no attempt: one scan of all TCP ports in about 24 opens it; 1 sweep of TCP ports 1-7 opens it, from high to low: remove tripwires = 0: then a scan makes wrong knocks on ports that nobody announces`},
		{`sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, tripwires = 0`, `
a.lua:1: no-tripwires: tripwires = 0: packets to other ports disturb no attempt: one scan of all TCP and UDP ports in about 24 opens it; 2 sweeps of TCP and UDP ports 2904-9133 open it, from low to high, TCP before UDP: remove tripwires = 0: then a scan makes wrong knocks on ports that nobody announces`},
		{`sequence = { 1, 2, 3, 4 }`, `
a.lua:1: ascending: the ports go up, and nothing between them resets the door: a scan from low to high opens it: mix the order of the ports, and leave free ports between them`},
		{`sequence = { 7002, 7003, 7000, 7001 }`, `
a.lua:1: side-by-side: nothing between knocks 1 and 2 (tcp/7002, tcp/7003), 3 and 4 (tcp/7000, tcp/7001) resets the door: a sweep passes from one to the other; 2 sweeps of TCP ports 7000-7003 open it, from low to high: choose ports that are far apart: tripwires need free ports between two knocks`},
		{`sequence = { 7000, "udp/7000", 7001, "udp/7001" }`, `
a.lua:1: side-by-side: nothing between knocks 1 and 2 (tcp/7000, udp/7000), 2 and 3 (udp/7000, tcp/7001), 3 and 4 (tcp/7001, udp/7001) resets the door: a sweep passes from one to the other; 1 sweep of TCP and UDP ports 7000-7001 opens it, from low to high, both protocols of a number before the next: choose ports that are far apart: tripwires need free ports between two knocks`},
		{`sequence = { 1, 2, 1, 2, 1, 2, 9 }, within = "1m"`, `
a.lua:1: short: 7 knocks on 3 ports, fewer than four: a few random packets may open it: knock on four different ports or more
a.lua:1: side-by-side: nothing between knocks 1 and 2 (tcp/1, tcp/2), 2 and 3 (tcp/2, tcp/1), 3 and 4 (tcp/1, tcp/2), 4 and 5 (tcp/2, tcp/1), 5 and 6 (tcp/1, tcp/2) resets the door: a sweep passes from one to the other: choose ports that are far apart: tripwires need free ports between two knocks`},
		{`sequence = { 7000, 3000, 5000 }`, `
a.lua:1: short: 3 knocks, fewer than four: one scan of TCP ports 3000-7000 in about 756 opens it: make the sequence four knocks or longer`},
		{`sequence = { 7000, 3000 }, strict = true`, `
a.lua:1: short: 2 knocks, fewer than four: a few random packets may open it: make the sequence four knocks or longer`},
	} {
		t.Run(test.options, func(t *testing.T) {
			got := ""
			for _, f := range Check(load(t, `sesame.door "a" { guards = 22, `+test.options+` }`)) {
				got += "\n" + f.String() + ": " + f.Hint
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A module's functions can be called by whatever requires it, a script's by
// its own doors alone.
func TestAllowsOfOtherFiles(t *testing.T) {
	const shut = `sesame.door "a" { sequence = { 400, 200, 300, 100 }, guards = 22, on_open = GIVE }`
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
	for _, doors := range []int{1000, 10_000} {
		b.Run(strconv.Itoa(doors), func(b *testing.B) {
			set := setOf(randomDoors(doors)...)
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
