package scripting_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// endless is a function that uses up its budget, unless the clock ends it before.
const endless = `while true do end return true`

// untilTimeout knocks until the clock ends a function. How often that takes depends on the machine.
func (w *world) untilTimeout(knock func()) {
	w.t.Helper()
	for range 1000 {
		w.got = nil
		if knock(); len(w.e.Timeouts()) > 0 {
			return
		}
		w.later(time.Second)
	}
	w.t.Fatal("the clock ended none of 1,000 calls")
}

func TestTheClockEndsFunctions(t *testing.T) {
	for _, tt := range []struct{ name, door string }{
		{"on_open", `on_open = function(attempt) ` + endless + ` end`},
		{"a condition", `when = function(attempt) ` + endless + ` end`},
		{"a condition within a condition", `when = sesame.any { function(attempt) return false end, function(attempt) ` + endless + ` end }`},
		{"holds", `on_open = function(attempt) attempt:holds(inner) end`},
		{"after operations", `on_open = function(attempt) attempt:allow() attempt:log("x") ` + endless + ` end`},
		{"after what nobody can decide", `on_open = function(attempt) pcall(function() attempt:holds(home) end) ` + endless + ` end`},
		{"a condition after what nobody can decide", `when = function(attempt) pcall(function() attempt:holds(home) end) ` + endless + ` end`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := `local home = sesame.hosts { "home.example.net" }
local inner = sesame.all { function(attempt) ` + endless + ` end }
sesame.door "d" { sequence = { "udp/1" }, guards = 22, ` + tt.door + ` }`
			w := theScripts(t, map[string]string{"ssh.lua": text}, scripting.Options{Backstop: time.Microsecond})
			w.untilTimeout(func() { w.knock(alice, "udp/1") })
			ended, live := w.e.Timeouts(), w.shown()
			if f := ended[0].Fault; len(ended) != 1 || f.Script != "ssh.lua" || f.Line == 0 || !strings.Contains(f.Detail, "after 1µs by the clock") {
				t.Errorf("%+v", ended)
			}
			if live != "error ssh.lua:"+strconv.Itoa(ended[0].Fault.Line)+": "+ended[0].Fault.Detail+"\nrefuse d script_timeout" {
				t.Error(live)
			}

			t.Log("# a replay has neither the clock nor the time for it")
			again := theScripts(t, map[string]string{"ssh.lua": strings.ReplaceAll(text, endless, `error("it ran")`)}, scripting.Options{})
			for again.sent+1 < w.sent {
				again.knock(alice, "udp/1")
				again.later(time.Second)
			}
			again.got = nil
			again.e.SetTimeouts(ended)
			again.knock(alice, "udp/1")
			if replayed := again.shown(); replayed != live {
				t.Errorf("live:\n%s\nreplayed:\n%s", live, replayed)
			}
		})
	}
}

// shown returns the events since the last want, one a line.
func (w *world) shown() string {
	var lines []string
	for _, event := range w.got {
		if event.Effect != engine.EffectPersist && event.Kind != engine.EventStage {
			lines = append(lines, brief(event))
		}
	}
	return strings.Join(lines, "\n")
}

// Without a backstop the budget alone ends a function, and the same everywhere.
func TestWithoutABackstopTheBudgetEndsFunctions(t *testing.T) {
	w := theScript(t, `sesame.door "d" { sequence = { "udp/1" }, guards = 22, on_open = function(attempt) `+endless+` end }`)
	w.knock(alice, "udp/1")
	if len(w.e.Timeouts()) > 0 || !strings.Contains(w.shown(), "more than 200000 steps") {
		t.Error(w.shown())
	}
}

// What was ended is known until an hour has passed.
func TestScriptsThatTheClockEndedAreNamed(t *testing.T) {
	w := theScripts(t, map[string]string{"a.lua": `sesame.door "d" { sequence = { "udp/1" }, on_open = require("b").f }`, "lib/b.lua": `return { f = function() ` + endless + ` end }`}, scripting.Options{Backstop: time.Microsecond})
	w.untilTimeout(func() { w.knock(alice, "udp/1") })
	all := w.e.TimedOut()
	if len(all) != 1 || all[0].Script != "a.lua" || all[0].Fault.Script != "lib/b.lua" || all[0].Count != 1 {
		t.Errorf("%+v", all)
	}
}
