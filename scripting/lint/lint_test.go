package lint

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
)

// load loads one script, a.lua.
func load(t *testing.T, text string) *scripting.Set {
	t.Helper()
	set, err := scripting.Load(fstest.MapFS{"a.lua": {Data: []byte(text)}}, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// In these scripts a door is one line, so that a line tells which it is.
func TestFindings(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string // line and id
	}{
		{"nothing", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, nil},
		{"ascending", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22 }`, []string{"1 ascending"}},
		{"descending", `sesame.door "a" { sequence = { 4, 3, 2, 1 }, guards = 22 }`, []string{"1 descending"}},
		{"the same port again stops a scan", `sesame.door "a" { sequence = { 1, 2, 2, 4 }, guards = 22 }`, nil},
		{"strict doors have no fear of scans", `sesame.door "a" { sequence = { 1, 2, 3, 4 }, guards = 22, strict = true }`, nil},
		{"ascending over protocols", `sesame.door "a" { sequence = { 1, "udp/2", 3, 4 }, guards = 22 }`, []string{"1 ascending"}},
		{"short", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, []string{"1 short"}},
		{"one knock", `sesame.door "a" { sequence = { 4 }, guards = 22 }`, []string{"1 no-limit", "1 short"}},
		{"one knock with a limit", `sesame.door "a" { sequence = { 4 }, guards = 22, limit = "3/h" }`, []string{"1 short"}},
		{"prefix", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1, 5 }, guards = 22 }`, []string{"1 prefix"}},
		{"twins", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1 }, guards = 22 }`, []string{"2 prefix"}},
		{"other flags are another sequence", `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22 }
			sesame.door "b" { sequence = { 4, 2, 3, 1, 5 }, flags = "fin", guards = 22 }`, nil},
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
		{"never", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "wed", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22 }`, []string{"2 window-never"}},
		{"sometimes, far apart", `local a, b = sesame.window { days = "mon", tz = "UTC" }, sesame.window { days = "tue", tz = "Pacific/Auckland" }
			sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = { a, b } }
			sesame.door "b" { sequence = { 4, 2, 3, 5 }, guards = 22 }`, nil},
		{"allowed on the line", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 } -- sesame:allow short enough here`, nil},
		{"allowed on the line above", "-- sesame:allow short enough here\n" + `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, nil},
		{"allowed too far above", "-- sesame:allow short enough here\n\n" + `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 }`, []string{"3 short"}},
		{"allowed in the comments above", "-- sesame:allow ascending a toy\n-- sesame:allow short a toy\n" + `sesame.door "a" { sequence = { 2, 3, 4 }, guards = 22 }`, nil},
		{"what is no finding is allowed", `sesame.door "a" { sequence = { 4, 2, 3, 9 }, guards = 22 } -- sesame:allow shrot a toy`, []string{"1 unknown-id"}},
		{"another is allowed", `sesame.door "a" { sequence = { 4, 2, 3 }, guards = 22 } -- sesame:allow ascending enough here`, []string{"1 short"}},
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
