package engine

import (
	"testing"
	"time"
)

// carriedOf returns what an engine carries whose only attempt is at stage 2 of 3.
func carriedOf(t *testing.T, w *world) Carried {
	t.Helper()
	w.knock(alice, "udp/501", "udp/502")
	c := w.e.Carry()
	if len(c.Runs) != 1 || len(c.Runs[0].Hits) != 2 {
		t.Fatalf("it carries %+v", c.Runs)
	}
	return c
}

// An attempt whose knocks cannot have come so is left out, whatever a file holds.
func TestCarriedKnocksThatCannotBe(t *testing.T) {
	door := aDoor(t, "a", "udp/501", "udp/502", "udp/503")
	for name, tt := range map[string]struct {
		change func(*RunState)
		want   int // attempts
	}{
		"as they were":     {func(*RunState) {}, 1},
		"at one moment":    {func(r *RunState) { r.Hits[1].At = r.Hits[0].At }, 1},
		"none":             {func(r *RunState) { r.Hits = nil }, 0},
		"the second first": {func(r *RunState) { r.Hits[0].At = r.Hits[1].At + 1 }, 0},
		"in the future":    {func(r *RunState) { r.Hits[1].At += int64(time.Second) }, 0},
	} {
		w := newWorld(t, door)
		c := carriedOf(t, w)
		tt.change(&c.Runs[0])
		e := New(w.e.cfg, w.now)
		e.Swap(w.now, &Set{Doors: []*Door{door}})
		e.Continue(w.now, e.Recognise(c))
		if got := e.Attempts(w.now); got != tt.want {
			t.Errorf("knocks %s: %d attempts, want %d", name, got, tt.want)
		}
	}
}

// Nothing is taken over where nothing was carried, and not after the first packet.
func TestContinueIsForTheStart(t *testing.T) {
	door := aDoor(t, "a", "udp/501", "udp/502", "udp/503")
	w := newWorld(t, door)
	c := carriedOf(t, w)
	e := New(w.e.cfg, w.now)
	e.Swap(w.now, &Set{Doors: []*Door{door}})
	if events := e.Continue(w.now, Carried{}); len(events) > 0 || e.Attempts(w.now) != 0 {
		t.Errorf("of nothing it made %v, and %d attempts", briefs(events), e.Attempts(w.now))
	}
	p := w.packet(bob, "udp/501")
	e.Packet(&p)
	if e.Continue(w.now, e.Recognise(c)); e.Attempts(w.now) != 1 {
		t.Errorf("%d attempts, want that of the packet alone", e.Attempts(w.now))
	}
}

// A limit goes on where the door has the same one, and begins anew where it was changed.
func TestLimitsAcrossARestart(t *testing.T) {
	hourly := Limit{Count: 1, Per: time.Hour}
	for name, tt := range map[string]struct {
		next *Limit
		want Kind
	}{
		"the same":     {&Limit{Count: 1, Per: time.Hour}, EventRefuse},
		"more":         {&Limit{Count: 2, Per: time.Hour}, EventOpen},
		"more often":   {&Limit{Count: 1, Per: time.Minute}, EventOpen},
		"for a source": {&Limit{Count: 1, Per: time.Hour, PerSource: true}, EventOpen},
		"none":         {nil, EventOpen},
	} {
		door := aDoor(t, "a", "udp/501")
		door.Limit = &hourly
		w := newWorld(t, door)
		w.knock(alice, "udp/501")
		next := aDoor(t, "a", "udp/501")
		next.Limit = tt.next
		w.advance(time.Second)
		w.restart(next)
		w.got = nil
		w.knock(alice, "udp/501")
		if got := w.got[len(w.got)-1].Kind; got != tt.want {
			t.Errorf("limit %s: %v", name, briefs(w.got))
		}
	}
}
