package daemon

import (
	"net/netip"
	"slices"
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

// An access that failed counts until one of the same address family succeeds.
func TestAnAccessThatSucceedsEndsTheFailuresBefore(t *testing.T) {
	r := newReporter(nil, nil, nil, hclog.NewNullLogger())
	four, six := netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("2001:db8:9::9/128")
	fail := func(source netip.Prefix, effect engine.Effect) {
		r.fail(&engine.Event{Kind: engine.EventFailed, Source: source, Effect: effect})
	}
	since := func() (all []bool) {
		for _, f := range r.failed(0) {
			all = append(all, f.GivenSince)
		}
		return all
	}
	fail(four, engine.EffectAllow)
	fail(six, engine.EffectAllow)
	fail(four, engine.EffectExec)
	for _, tt := range []struct {
		gave netip.Prefix
		want []bool
	}{
		{netip.Prefix{}, []bool{false, false, false}},
		{six, []bool{false, true, false}},
		{four, []bool{true, true, false}},
	} {
		if r.gave(tt.gave); !slices.Equal(since(), tt.want) {
			t.Errorf("after access for %v: %v, want %v", tt.gave, since(), tt.want)
		}
	}
	if fail(four, engine.EffectAllow); since()[3] {
		t.Error("one that fails later is over")
	}
}
