package effect

import "time"

// newTimer returns a timer that fires after d. It may be Reset or dropped without
// Stop and without draining its channel (since Go 1.23).
func newTimer(d time.Duration) *time.Timer { return time.NewTimer(d) }
