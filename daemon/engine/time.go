package engine

import (
	"math"
	"time"
)

// Inside the engine a time is an int64 of Unix nanoseconds: an attempt is kept
// for every source that ever knocks, and a time.Time would double it.

const forever = math.MaxInt64

// at returns ns as a time, in UTC.
func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// nanoseconds is the opposite of at. What is too late to be held is forever.
func nanoseconds(t time.Time) int64 {
	if t.After(at(forever)) {
		return forever
	}
	return t.UnixNano()
}

// after returns ns + d, or forever where that does not fit. d is not negative.
func after(ns int64, d time.Duration) int64 {
	if sum := ns + int64(d); sum >= ns {
		return sum
	}
	return forever
}
