package daemon

import "time"

// Only this file of the package reads the clock. All other code takes the time as an argument.

// A clock returns engine time: the wall clock when the daemon started, plus the monotonic time
// since then. Engine time never jumps when the wall clock is set.
type clock struct {
	start time.Time // with its monotonic reading
}

func newClock() clock { return clock{time.Now()} }

// now returns engine time.
func (c clock) now() time.Time {
	return c.start.Round(0).Add(time.Since(c.start))
}

// read returns engine time, and how far ahead of it the wall clock is.
func (c clock) read() (now time.Time, offset time.Duration) {
	t := time.Now()
	now = c.start.Round(0).Add(t.Sub(c.start))
	return now, t.Round(0).Sub(now)
}

// newTimer returns a timer that fires after d.
func newTimer(d time.Duration) *time.Timer { return time.NewTimer(d) }

// after returns a channel that gets one value when d is over.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
