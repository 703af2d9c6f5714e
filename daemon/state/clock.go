package state

import "time"

// stopwatch returns a function that returns the time since stopwatch was called. Steps of the
// wall clock do not change it.
func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// pause waits before the next try to lock the directory.
func pause() { time.Sleep(10 * time.Millisecond) }
