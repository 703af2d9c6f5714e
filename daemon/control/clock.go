package control

import "time"

// in returns the time that is d from now, for deadlines of connections.
func in(d time.Duration) time.Time { return time.Now().Add(d) }

// afterFunc calls f in a goroutine of its own when d is over, unless the timer is stopped before.
func afterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }

// pauseForRoom waits before something is tried again for which there was no room.
func pauseForRoom() { time.Sleep(100 * time.Millisecond) }
