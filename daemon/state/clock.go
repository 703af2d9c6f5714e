package state

import "time"

// stopwatch returns how long ago it was called. It does not see steps of the
// wall clock.
func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// pause waits for a moment.
func pause() { time.Sleep(10 * time.Millisecond) }
