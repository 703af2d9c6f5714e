package daemon

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/daemon/transcript"
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

// An input may have very many events. They are not copied all at once, and reach readers in order.
func TestManyEventsAreReportedInParts(t *testing.T) {
	const n = 5*maxReported + 1
	events := make([]engine.Event, n)
	for i := range events {
		events[i] = engine.Event{Kind: engine.EventOpen, Packet: i + 1, Door: "ssh"}
	}
	var lines bytes.Buffer
	people := transcript.NewText(&lines, transcript.TextOptions{})
	r := newReporter(control.NewTail(), &knockdlog.Log{}, people, hclog.NewNullLogger())
	r.events(events)
	if cap(r.shown) > 2*maxReported {
		t.Errorf("room for %d events is kept", cap(r.shown))
	}
	if got := strings.Count(lines.String(), "ssh"); got != n {
		t.Errorf("%d events were reported: want %d", got, n)
	}
}
