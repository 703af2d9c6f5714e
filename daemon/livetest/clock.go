//go:build linux

package livetest

import (
	"context"
	"errors"
	"time"
)

// A pace gives the time at which each frame of a flood is due.
type pace struct {
	start time.Time
	rate  int // per second; 0: at once
}

func newPace(rate int) pace { return pace{time.Now(), rate} }

func (p pace) elapsed() time.Duration { return time.Since(p.start) }

// wait returns nil when frame n is due, and the context's error if that ends first. A timer fires
// late, so frames are sent in small bursts; their number per second is right all the same.
func (p pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 {
		return nil
	}
	due := time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
	rest := due - time.Since(p.start)
	if rest <= 0 {
		return nil
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poll calls ready until it returns true or an error, for ten seconds at most.
func poll(ready func() (bool, error)) error {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		yes, err := ready()
		switch {
		case err != nil || yes:
			return err
		case time.Since(start) > 10*time.Second:
			return errors.New("the link did not come up within 10 seconds")
		}
	}
}
