package daemon

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
)

// A fault is a warning once an hour. Places that are silent for so long make room for others.
func TestWhichFaultsAreWarnings(t *testing.T) {
	r := newReporter(nil, nil, nil, hclog.NewNullLogger())
	begin := time.Date(2026, 11, 24, 23, 14, 5, 0, time.UTC)
	fault := func(line int, after time.Duration) hclog.Level {
		return r.faultLevel(&engine.Event{Time: begin.Add(after), Script: "a.lua", Line: line})
	}
	want := func(level hclog.Level, line int, after time.Duration) {
		t.Helper()
		if got := fault(line, after); got != level {
			t.Errorf("line %d after %v: %v, want %v", line, after, got, level)
		}
	}
	for line := range maxWarned - 1 {
		want(hclog.Warn, line, 0)
	}
	want(hclog.Warn, maxWarned, 30*time.Minute)
	want(hclog.Debug, 0, warnEvery-1)
	want(hclog.Debug, maxWarned+1, warnEvery-1) // there is no room
	want(hclog.Warn, maxWarned+1, warnEvery)
	want(hclog.Debug, maxWarned, warnEvery) // that place was not forgotten
	want(hclog.Warn, 0, warnEvery)
	want(hclog.Debug, 0, 2*warnEvery-1)
	want(hclog.Warn, 0, 2*warnEvery)
}
