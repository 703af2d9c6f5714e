package engine

import (
	"slices"
	"time"

	"sesame/daemon/wire"
)

// Parts returns times until then at which to call [Engine.Tick] first, so that each input fires
// about so many of the timers that are set now. It returns none when there are not more. Whoever
// calls Tick in between has the same events in the same order, and never all of them at once.
// Timers of one time stay together.
func (e *Engine) Parts(until time.Time, size int) []time.Time {
	due := e.timers.dueBy(until.UnixNano())
	if len(due) <= size {
		return nil
	}
	slices.Sort(due)
	var parts []time.Time
	for i := size - 1; i < len(due)-1; i += size {
		if due[i] != due[len(due)-1] {
			parts = append(parts, wire.Time(max(due[i], e.now)))
		}
	}
	return slices.CompactFunc(parts, time.Time.Equal)
}

// dueBy returns when those timers are due that are due until then. It looks at no more than twice
// as many others.
func (h timers) dueBy(until int64) (due []int64) {
	for next := []int{0}; len(next) > 0; {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if i < len(h) && h[i].due <= until {
			due = append(due, h[i].due)
			next = append(next, 2*i+1, 2*i+2)
		}
	}
	return due
}
