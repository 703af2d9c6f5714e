package engine

import (
	"container/heap"
)

// How many script timers may fire in one input, and after how many events of
// theirs none does any more. A capture's clock may leap by a century, and a timer that
// sets itself anew every second would then come to no end.
const (
	maxDelayed = 100_000
	maxEvents  = 1 << 16
)

// fireTimers lets every timer happen that is due at or before until, each at its own
// deadline.
func (e *Engine) fireTimers(until int64) {
	fired, events := 0, 0
	for len(e.timers) > 0 && e.timers[0].due <= until {
		t := heap.Pop(&e.timers).(*timer)
		e.now = max(e.now, t.due)
		switch t.kind {
		case attemptTimer:
			e.expire(t.run)
		case grantTimer:
			e.endGrant(t.grant, Expired, 0)
		case scriptTimer:
			fired++
			before := len(e.events)
			e.runDelayed(t.delayed, fired > maxDelayed || events > maxEvents)
			events += len(e.events) - before
		}
		e.runCloseHandlers()
	}
}

// reorderTimers is due when there are other doors, in other places.
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
