package scripting_test

import (
	"testing"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

func TestACommandForAllSources(t *testing.T) {
	w := theScript(t, `
local relay = sesame.command { "/bin/relay", "on", undo = { "/bin/relay", "off" }, shared = true }
sesame.door "relay" { sequence = { 1, 2 }, ttl = "1m", on_open = function(attempt) attempt:exec(relay) end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open relay 203.0.113.9", `exec ["/bin/relay" "on"]`)
	w.knock(bob, "tcp/1", "tcp/2")
	w.want("open relay 2001:db8::7", "exec []")
	w.later(59_000_000_000)
	w.knock(bob, "tcp/1", "tcp/2")
	w.want("open relay 2001:db8::7", "exec []")
	w.later(59_000_000_000)
	w.want("close relay none/0 expired")
	w.later(60_000_000_000)
	w.want("close relay none/0 expired", `undo ["/bin/relay" "off"]`)
}

func TestASharedCommandThatSharesNothing(t *testing.T) {
	for _, tt := range []struct{ name, options, want string }{
		{"no undo", `shared = true`, "a.lua:1:43: shared: the command has no undo, so nothing is shared: name one, or leave it out"},
		{"the source in the run", `"{source}", undo = { "/b" }, shared = true`, "a.lua:1:72: shared: an argument has {source}, so each source has a run of its own: leave one of the two out"},
		{"the source in the undo", `undo = { "/b", "x{source}" }, shared = true`, "a.lua:1:73: shared: an argument has {source}, so each source has a run of its own: leave one of the two out"},
		{"a text", `undo = { "/b" }, shared = "yes"`, "a.lua:1:60: shared: expected true or false, got the string \"yes\""},
		{"not shared", `"{source}", shared = false`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `local c = sesame.command { "/a", ` + tt.options + ` }`}), scripting.Options{})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
