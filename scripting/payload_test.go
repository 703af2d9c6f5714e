package scripting_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// bytes returns the bytes of a test, from offsets and texts in turn.
func bytes(pairs ...any) (all []engine.PayloadBytes) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, engine.PayloadBytes{At: pairs[i].(int), Text: pairs[i+1].(string)})
	}
	return all
}

func TestPayloadTests(t *testing.T) {
	open := engine.AnyLength
	for options, want := range map[string]*engine.PayloadTest{
		``:                                  nil,
		`length = 20`:                       {Min: 20, Max: 20},
		`length = 0`:                        {},
		`length = 65507`:                    {Min: 65507, Max: 65507},
		`length = "20-64"`:                  {Min: 20, Max: 64},
		`length = "0-65507"`:                {Max: 65507},
		`prefix = "SESA"`:                   {Max: open, Bytes: bytes(0, "SESA")},
		`prefix = "\0\255", length = 2`:     {Min: 2, Max: 2, Bytes: bytes(0, "\x00\xff")},
		`bytes = { [5] = "v1", [1] = "x" }`: {Max: open, Bytes: bytes(4, "v1", 0, "x")},
		`bytes = { "x", "y" }`:              {Max: open, Bytes: bytes(0, "x", 1, "y")},
		`bytes = { [65507] = "x" }`:         {Max: open, Bytes: bytes(65506, "x")},
		`prefix = ("x"):rep(256)`:           {Max: open, Bytes: bytes(0, strings.Repeat("x", 256))},
		`bytes = { [3] = "SA" }, prefix = "SESA", length = 4`: {Min: 4, Max: 4, Bytes: bytes(2, "SA", 0, "SESA")},
	} {
		for kind, door := range map[string]string{
			"a listener":          `sesame.listen "a" { on = { "udp/1", "tcp/2" }, OPTIONS on_knock = function() end }`,
			"a door of one knock": `sesame.door "a" { OPTIONS sequence = { "udp/1" } }`,
		} {
			text := strings.Replace(door, "OPTIONS", strings.TrimPrefix(options+",", ","), 1)
			set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
			if err != nil {
				t.Errorf("%s with %s: %v", kind, options, err)
				continue
			}
			sorted := cmp.Transformer("set", func(all []engine.PayloadBytes) map[engine.PayloadBytes]bool {
				set := map[engine.PayloadBytes]bool{}
				for _, one := range all {
					set[one] = true
				}
				return set
			})
			if diff := cmp.Diff(want, set.Engine.Doors[0].Payload, sorted); diff != "" {
				t.Errorf("%s with %s (-want +got):\n%s", kind, options, diff)
			}
			set.Close()
		}
	}
}

// A payload that fails the test reaches neither the conditions nor the functions of the door, and
// uses up no limit.
func TestAPayloadIsTestedBeforeAllElse(t *testing.T) {
	w := theScript(t, `
sesame.listen "beacon" { on = "udp/1", length = 20, prefix = "SESA", limit = "1/h", guards = "tcp/22",
  when = function(attempt) return false, "the condition saw " .. attempt.payload end,
  on_knock = function(knock) knock:allow() end }
sesame.door "bell" { sequence = { "udp/2" }, bytes = { [2] = "!" }, limit = "1/h", guards = "tcp/23" }`)
	for _, junk := range []string{"", "SESA", "SESAmaple-otter-316", "SESBmaple-otter-3168"} {
		w.send(alice, "udp/1", junk)
		w.send(alice, "udp/2", junk)
	}
	w.want()
	w.send(alice, "udp/1", "SESAmaple-otter-3168")
	w.want("refuse beacon when the condition saw SESAmaple-otter-3168")
	w.send(alice, "udp/2", "x!")
	w.want("open bell 203.0.113.9", "allow 203.0.113.9/32 tcp/23 30s")
}

// What functions run is counted, also when they fail: else a listener whose function is expensive
// would take the whole processor.
func TestFunctionsThatStrangersRunAreBounded(t *testing.T) {
	for name, script := range map[string]string{
		"on_knock":          `sesame.listen "a" { on = "udp/1", limit = "1000000/s", on_knock = function(knock) local n = 0 for i = 1, 30000 do n = n + i end end }`,
		"on_knock, fails":   `sesame.listen "a" { on = "udp/1", limit = "1000000/s", on_knock = function(knock) while true do end end }`,
		"when":              `sesame.door "a" { sequence = { "udp/1" }, when = function(a) for i = 1, 60000 do end return false end }`,
		"when, within any":  `local f = function(a) for i = 1, 60000 do end return false end sesame.door "a" { sequence = { "udp/1" }, when = sesame.any { f, f } }`,
		"on_open":           `sesame.door "a" { sequence = { "udp/1" }, on_open = function(a) for i = 1, 60000 do end end }`,
		"memory":            `sesame.listen "a" { on = "udp/1", limit = "1000000/s", on_knock = function(knock) local s = knock.payload .. ("x"):rep(100000) for i = 1, 30 do local t = s .. i end end }`,
		"little, but often": `sesame.listen "a" { on = "udp/1", limit = "1000000/s", on_knock = function(knock) end }`,
	} {
		t.Run(name, func(t *testing.T) {
			w := theScript(t, script)
			calls := 0
			for range 12_000 {
				w.send(alice, "udp/1", "")
				if last := w.got; len(last) > 0 && strings.Contains(last[len(last)-1].Detail, "steps a second") {
					break
				}
				calls++
			}
			if calls < 5 || calls > 10_000 {
				t.Errorf("%d calls at once", calls)
			}
			w.later(time.Second)
			w.got = nil
			w.send(alice, "udp/1", "")
			if all := all(w); strings.Contains(all, "steps a second") {
				t.Errorf("a second later: %s", all)
			}
		})
	}
}
