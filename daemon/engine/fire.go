package engine

import (
	"container/heap"
)

// This file fires timers.

// Bounds on script timers in one input. A capture's clock may leap by a century, and a timer
// that sets itself again every second would never come to an end. So at most maxDelayed calls
// run, and none after those before it have made more than maxEvents events.
const (
	maxDelayed = 100_000
	maxEvents  = 1 << 16
)

// fireTimers fires each timer that is due at or before until, at its own deadline.
func (e *Engine) fireTimers(until int64) {
	fired, events := 0, 0
	for len(e.timers) > 0 && e.timers[0].due <= until {
		t := heap.Pop(&e.timers).(*timer)
		e.now = max(e.now, t.due)
		switch t.kind {
		case attemptTimer:
			e.expire(t.run)
		case grantTimer:
			e.endGrant(t.grant, t.grant.lapse(), 0)
		case scriptTimer:
			fired++
			before := len(e.events)
			e.runDelayed(t.delayed, fired > maxDelayed || events > maxEvents)
			events += len(e.events) - before
		}
		e.runCloseHandlers()
	}
}

// reorderTimers is called when the set of doors changed, and with it their order.
func (e *Engine) reorderTimers() {
	for _, t := range e.timers {
		switch t.kind {
		case attemptTimer:
			t.run.door = e.index.byID[t.run.door.id]
			t.door = t.run.door.order
		case grantTimer:
			t.door = e.index.order(t.grant.Door)
		case scriptTimer:
			t.door = e.index.order(t.delayed.door)
		}
	}
	heap.Init(&e.timers)
}
