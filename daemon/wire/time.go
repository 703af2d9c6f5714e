package wire

import (
	"math"
	"time"
)

// A time is an int64 of Unix nanoseconds, in files and inside the engine: an attempt is held
// for every source that ever knocks, and a time.Time would double its size.

// Forever is the latest time, in April 2262. No sum moves it.
const Forever = math.MaxInt64

// Time returns ns as a time, in UTC.
func Time(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// Nanoseconds is the opposite of [Time]. A time that is too late or too early, as the zero
// time.Time is, becomes the latest or the earliest that an int64 can hold.
func Nanoseconds(t time.Time) int64 {
	switch {
	case t.After(Time(Forever)):
		return Forever
	case t.Before(Time(math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixNano()
}

// Add returns ns + d, or the nearest that an int64 can hold. Forever stays Forever.
func Add(ns int64, d time.Duration) int64 {
	switch sum := ns + int64(d); {
	case ns == Forever || d > 0 && sum < ns:
		return Forever
	case d < 0 && sum > ns:
		return math.MinInt64
	default:
		return sum
	}
}
