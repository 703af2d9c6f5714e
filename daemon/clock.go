package daemon

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

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

// unsynchronisedError is the estimated error in microseconds from which on the clock counts as not
// synchronised: NTP_PHASE_LIMIT in include/linux/timex.h. systemd judges by it too. The flag
// STA_UNSYNC is not enough: chrony leaves it set while it synchronises the clock.
const unsynchronisedError = 16_000_000

// synchronised reports whether something keeps the wall clock right. The error grows by 500 ppm
// while nothing does, so that the answer comes hours after the last contact (adjtimex(2)).
func synchronised() (bool, error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, fmt.Errorf("adjtimex: %w", err)
	}
	return int64(t.Maxerror) < unsynchronisedError, nil
}

// sinceBoot returns the time since the machine started, in which suspends count, as they do in the
// start of a process that the kernel tells (CLOCK_BOOTTIME).
func sinceBoot() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // it fails for no clock that there is
	return time.Duration(t.Nano())
}

// newTimer returns a timer that fires after d.
func newTimer(d time.Duration) *time.Timer { return time.NewTimer(d) }

// after returns a channel that gets one value when d is over.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
