package firewall

import "time"

// later returns a time some while after a fixed one.
func later(d time.Duration) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(d) }
