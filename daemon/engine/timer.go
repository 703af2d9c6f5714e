package engine

import (
	"cmp"
	"container/heap"
	"net/netip"
)

// A timer is something that happens by itself: the end of a later-stage
// attempt, of a grant, of a delay that a script asked for.
type timer struct {
	due    int64
	door   int // position of its door; of a door that is gone, behind all others
	source netip.Addr
	kind   timerKind
	number uint64 // in order of creation, so that no two are equal
	index  int    // in timers; -1: not there

	run     *run
	grant   *grant
	delayed *delayed
}

type timerKind uint8

const (
	attemptTimer timerKind = iota
	grantTimer
	scriptTimer
)

// timers is a heap, first the one that fires first: by deadline, door, source,
// kind, and the order in which they were set.
type timers []*timer

func (h timers) Len() int { return len(h) }

func (h timers) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.due != b.due {
		return a.due < b.due
	}
	return cmp.Or(cmp.Compare(a.door, b.door), a.source.Compare(b.source),
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.number, b.number)) < 0
}

func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for package heap alone.
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop is for package heap alone.
func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	t.index = -1
	return t
}

// setTimer starts a timer.
func (e *Engine) setTimer(t *timer, due int64) {
	e.serial++
	t.due, t.number = due, e.serial
	heap.Push(&e.timers, t)
}

// moveTimer changes when a timer fires.
func (e *Engine) moveTimer(t *timer, due int64) {
	t.due = due
	heap.Fix(&e.timers, t.index)
}

// cancelTimer stops a timer that has not fired.
func (e *Engine) cancelTimer(t *timer) {
	if t.index >= 0 {
		heap.Remove(&e.timers, t.index)
	}
}

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
