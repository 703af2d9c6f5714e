package resolve

import "time"

// This file is the package's only look at the clock.

func now() time.Time { return time.Now() }

// after returns a channel that gets one value when d is over.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
