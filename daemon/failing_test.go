package daemon

import (
	"testing"

	"sesame/daemon/engine"
)

// TestWhatTheClockEndedIsForgotten: a function that runs rarely does not stay wrong for days.
func TestWhatTheClockEndedIsForgotten(t *testing.T) {
	all := []engine.Failing{
		{Door: "a", Script: "a.lua", Fault: engine.Fault{Script: "lib/m.lua", Timeout: true}},
		{Door: "b", Script: "b.lua", Fault: engine.Fault{Script: "lib/m.lua", Timeout: true}},
		{Door: "c", Script: "b.lua", Fault: engine.Fault{Script: "lib/m.lua"}},
	}
	got := failing(all, []engine.TimedOut{{Script: "a.lua"}}, 0)
	if len(got) != 2 || got[0].Door != "a" || !got[0].Timeout || got[1].Door != "c" || got[1].Timeout {
		t.Errorf("got %+v", got)
	}
}
