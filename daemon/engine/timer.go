package engine

import (
	"cmp"
	"container/heap"
	"net/netip"
)

// A timer is something that happens at a time: the end of a later-stage attempt, of a grant, or
// of a delay that a script requested.
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

// timers is a heap with the timer that fires first on top. The order is by deadline, door,
// source, kind, and then by the order in which they were set, so it is the same in every
// replay.
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

// cancelTimer stops a timer, if it has not fired.
func (e *Engine) cancelTimer(t *timer) {
	if t.index >= 0 {
		heap.Remove(&e.timers, t.index)
	}
}

// A delayed is a call that a script requested with [After].
type delayed struct {
	owner, name string
	value       any
	door        string
	source      netip.Addr
	observed    bool // its door only observed at the time of the request
	timer       timer
}
