package daemon

import (
	"context"
	"time"
)

// This file is the daemon's only look at the clock. Everybody else takes the
// time as an argument.

// A clock tells engine time: the wall clock's time when the daemon began, plus
// the monotonic time since. It never steps, whatever happens to the wall clock.
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

// An alarm fires once for each time that it is set.
type alarm struct{ timer *time.Timer }

// newAlarm returns an alarm that is not set.
func newAlarm() alarm {
	a := alarm{time.NewTimer(time.Hour)}
	a.timer.Stop()
	return a
}

// set lets the alarm ring after d, instead of when it was set to before.
func (a alarm) set(d time.Duration) { a.timer.Reset(max(d, 0)) }

func (a alarm) stop() { a.timer.Stop() }

// C is where it rings.
func (a alarm) C() <-chan time.Time { return a.timer.C }

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
