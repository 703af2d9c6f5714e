package lint

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// TestEveryEffectIsListed fails for an effect of the engine that has no row in
// effectRows.
func TestEveryEffectIsListed(t *testing.T) {
	for e := engine.Effect(1); int(e) < engine.Effects; e++ {
		if effectRows[e] == nil {
			t.Errorf("effect %d (%s) has no row in effectRows, scripting/lint/effects.go: check --effects does not know it", e, e.Name())
		}
	}
}

// TestEffects compares what a set can do, one line of JSON for each door and
// each entry that is of no door.
func TestEffects(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a door that only declares", map[string]string{"a.lua": `sesame.door "a" { sequence = { 1, 2 }, guards = 22 }`},
			`{"file":"a.lua","doors":[{"name":"a","file":"a.lua","line":1,"guards":["tcp/22"],"allows":[{"file":"a.lua","line":1,"ports":["tcp/22"]}]}]}`},
		{"each door has its own", map[string]string{"a.lua": `
sesame.door "a" { sequence = { 1, 2 }, ports = 443, on_open = function(x) x:allow { port = x.port } end }
sesame.door "b" { sequence = { 1, 3 }, on_open = function(x) x["al" .. "low"](x, { port = 3306 }) end }`},
			`{"file":"a.lua","doors":[{"name":"a","file":"a.lua","line":2,"allows":[{"file":"a.lua","line":2,"ports":["tcp/443"]}]},` +
				`{"name":"b","file":"a.lua","line":3}]}`},
		{"what its ports exclude", map[string]string{"a.lua": `
sesame.door "a" { sequence = { 1, 2 }, guards = 22, ports = 443, on_open = function(x)
  x:allow { port = { 22, 80, 443 } }
  x:allow { port = 80 }
end }`},
			`{"file":"a.lua","doors":[{"name":"a","file":"a.lua","line":2,"guards":["tcp/22"],"allows":[{"file":"a.lua","line":3,"ports":["tcp/22","tcp/443"]}]}]}`},
		{"networks", map[string]string{"a.lua": `
sesame.door "a" { sequence = { 1, 2 }, guards = 22, on_open = function(x)
  x:allow { prefix4 = 24, prefix6 = 56 }
  x:allow { prefix4 = x.stage }
  x:allow { port = x.port, prefix6 = 56 }
  x.allow(x)
end }`},
			`{"file":"a.lua","doors":[{"name":"a","file":"a.lua","line":2,"guards":["tcp/22"],"allows":[` +
				`{"file":"a.lua","line":3,"ports":["tcp/22"],"prefix4":24,"prefix6":56},{"file":"a.lua","line":4,"ports":["tcp/22"],"any_network":true},` +
				`{"file":"a.lua","line":5,"any":true,"prefix6":56},{"file":"a.lua","line":6,"any":true,"any_network":true}]}]}`},
		{"what it closes", map[string]string{"a.lua": `
local function stop(x) x:close "b" end
sesame.handler("t", function(timer) timer:close(timer.value) end)
sesame.door "a" { sequence = { 1, 2 }, on_open = function(x) x:close "b" x:close(x.door) end }
sesame.door "b" { sequence = { 1, 3 }, guards = 22 }`},
			`{"file":"a.lua","doors":[{"name":"a","file":"a.lua","line":4,"closes":[{"file":"a.lua","line":4,"door":"b"},{"file":"a.lua","line":4,"any":true}]},` +
				`{"name":"b","file":"a.lua","line":5,"guards":["tcp/22"],"allows":[{"file":"a.lua","line":5,"ports":["tcp/22"]}]}],` +
				`"closes":[{"file":"a.lua","line":2,"door":"b"},{"file":"a.lua","line":3,"any":true}]}`},
		{"a module is what its scripts can do", map[string]string{
			"a.lua":     `require "m" local c = sesame.command { "/bin/x" }`,
			"b.lua":     "require 'n'",
			"lib/m.lua": "require 'n'\nsesame.door 'm' { sequence = { 1, 2 }, on_open = function(x) x:allow { port = 80 } end }",
			"lib/n.lua": "local function give(x) x:allow() end",
		},
			`{"file":"a.lua","doors":[{"name":"m","file":"lib/m.lua","line":2,"allows":[{"file":"lib/m.lua","line":2,"ports":["tcp/80"]}]}],` +
				`"allows":[{"file":"lib/n.lua","line":1}],"commands":[{"name":"c","line":1,"argv":["/bin/x"]}]}` + "\n" +
				`{"file":"b.lua","allows":[{"file":"lib/n.lua","line":1}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := scripting.Load(sourcetest.Files(test.files), scripting.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var got strings.Builder
			for _, script := range Effects(set) {
				if err := json.NewEncoder(&got).Encode(script); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want+"\n", got.String()); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}
