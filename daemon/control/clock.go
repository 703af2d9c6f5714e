package control

import "time"

// in returns the time that is d from now, for deadlines of connections.
func in(d time.Duration) time.Time { return time.Now().Add(d) }
