//go:build linux

package listing

import "time"

// This file is the package's only look at the clock.

// after returns a channel that gets one value when d is over.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
