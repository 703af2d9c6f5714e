package wire

import "time"

// NewerLasts is how long a record of a newer version is kept that nobody reads: whoever goes back
// for good is told of it no longer.
const NewerLasts = 30 * 24 * time.Hour

// firstClock is before any time at which this form was written, in Unix nanoseconds: 2026-01-01. A
// machine without a battery for its clock starts before it.
const firstClock = 1767225600 * int64(time.Second)

// NewerSince returns since when a record of a newer version was not understood, in Unix
// nanoseconds: since what was noted, 0 for nothing, at a start at this time. A time from before the
// clock was set says nothing, and must make no record old.
func NewerSince(noted, now int64) int64 {
	switch {
	case now < firstClock && noted > 0:
		return noted
	case now < firstClock:
		return max(now, 1)
	case noted < firstClock || noted > now:
		return now
	}
	return noted
}
