package control

import "time"

// in returns the time that is d from now, for deadlines of connections.
func in(d time.Duration) time.Time { return time.Now().Add(d) }

// after is done after d.
func after(d time.Duration) <-chan time.Time { return time.After(d) }
