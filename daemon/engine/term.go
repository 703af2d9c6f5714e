package engine

import (
	"time"

	"sesame/daemon/wire"
)

// This file decides when grants end that must not outlast a window of time.

// A Period is a condition that the time of day alone decides: a window, or several of which one
// must hold.
type Period interface {
	Condition
	// Until returns when the period ends that goes on at a time of the wall clock, and limit
	// when it goes on until then. It returns the zero time when none goes on.
	Until(wall, limit time.Time) time.Time
}

// farWindow is how far ahead the end of a window matters. The wall clock may be set forward after
// a grant was given: then a window whose end was far away ends earlier than the grant.
const farWindow = 366 * 24 * time.Hour

// A term is when a grant ends.
type term struct {
	end time.Time // engine time, as ttlEnd
	// windowEnd is what the wall clock shows when the window ends that the grant must not
	// outlast, and ttlEnd is when the grant would end without it. Both are zero when there is
	// no window.
	windowEnd, ttlEnd time.Time
}

func (g *Grant) term() term { return term{g.End, g.WindowEnd, g.TTLEnd} }

func (g *Grant) setTerm(t term) { g.End, g.WindowEnd, g.TTLEnd = t.end, t.windowEnd, t.ttlEnd }

// termOf returns the term of a grant that is given now for a ttl, and must not outlast a window;
// zero: there is none.
func (e *Engine) termOf(ttl time.Duration, windowEnd time.Time) term {
	end := wire.Time(wire.Add(e.now, ttl))
	if windowEnd.IsZero() {
		return term{end: end}
	}
	return e.bounded(term{windowEnd: windowEnd, ttlEnd: end})
}

// bounded computes the end of a term with a window by the present offset of the wall clock.
func (e *Engine) bounded(t term) term {
	if t.end = t.ttlEnd; t.windowEnd.Add(-e.offset).Before(t.end) {
		t.end = t.windowEnd.Add(-e.offset)
	}
	return t
}

// lapse returns the reason of a close at the end of the grant's term.
func (g *Grant) lapse() Reason {
	if !g.WindowEnd.IsZero() && g.End.Before(g.TTLEnd) {
		return WindowEnded
	}
	return Expired
}

// wall returns what the wall clock shows.
func (e *Engine) wall() time.Time { return wire.Time(e.now).Add(e.offset) }

// windowEnd returns when a grant for a ttl must end by the wall clock: with its own period, else
// with that of its door. It is zero when there is none. It is an error when the period does not
// hold now.
func (e *Engine) windowEnd(c cause, own Period, ttl time.Duration) (time.Time, error) {
	if own == nil && c.door != nil {
		own = c.door.EndsWith
	}
	if own == nil {
		return time.Time{}, nil
	}
	wall := e.wall()
	end := own.Until(wall, wall.Add(max(ttl, farWindow)))
	if end.IsZero() || e.clockDoubt {
		return time.Time{}, &windowError{own, e.clockDoubt}
	}
	return end, nil
}

// A windowError is why a grant cannot end with a period.
type windowError struct {
	period Period
	doubt  bool
}

// Error implements error.
func (w *windowError) Error() string {
	if w.doubt {
		return w.period.Name() + ": " + ClockText
	}
	return "ends_with " + w.period.String() + ": it does not hold now, so the grant would end before it begins: ask for it in when"
}

// moveWindowEnds gives the grants that must not outlast a window the ends that follow from a new
// offset of the wall clock. The kernel's elements follow: an end may become earlier, and later up
// to the TTL. An element is left alone while an effect before its allow has no result: nothing may
// open before that.
func (e *Engine) moveWindowEnds() {
	entries := e.batches.byGrant()
	changed := map[grantKey]*grant{}
	var order []grantKey
	for _, g := range e.grants.all() {
		next := e.bounded(g.term())
		switch {
		case g.WindowEnd.IsZero() || next.end.Equal(g.End):
			continue
		case !next.end.After(wire.Time(e.now)):
			e.grants.setTerm(g, next)
			e.endGrant(g, WindowEnded, 0)
			continue
		}
		e.moveEntries(entries[g], g.End, next.end)
		// A grant of a stranger's recording may last as long as a Duration can.
		g.TTL = time.Duration(max(0, wire.Add(int64(g.TTL), next.end.Sub(g.End))))
		e.grants.setTerm(g, next)
		e.moveTimer(&g.timer, wire.Nanoseconds(next.end))
		e.persist(Record{Grant: &g.Grant})
		if g.Argv == nil && changed[g.key] == nil {
			changed[g.key], order = g, append(order, g.key)
		}
	}
	for _, key := range order {
		if g := changed[key]; e.grants.byID[g.ID] == g && !e.deferElement(key, entries) {
			e.updateElement(g)
		}
	}
}

// moveEntries changes what the effects of a grant remember of its end, so that they can still be
// taken back.
func (e *Engine) moveEntries(entries []unanswered, was, next time.Time) {
	for _, x := range entries {
		if !x.end.Equal(was) {
			continue
		}
		if x.end = next; !x.was.windowEnd.IsZero() {
			x.was = e.bounded(x.was)
		}
	}
}

// deferElement reports whether an allow for a key still waits for an effect before it. The result
// of the allow then updates the element.
func (e *Engine) deferElement(key grantKey, entries map[*grant][]unanswered) bool {
	deferred := false
	for _, g := range e.grants.byKey.of[key].inOrder() {
		for _, x := range entries[g] {
			if x.event.Effect == EffectAllow && x.behind {
				x.moved, deferred = true, true
			}
		}
	}
	return deferred
}
