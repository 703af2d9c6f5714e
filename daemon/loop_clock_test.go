package daemon

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
)

// TestWallClockIsSet has a loop for which the wall clock was ahead by something
// until now, which is what setting it back by as much looks like, or forward.
func TestWallClockIsSet(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 100 * 24 * time.Hour, 50 * time.Millisecond, -50 * time.Millisecond} {
		t.Run(ahead.String(), func(t *testing.T) {
			c := newClock()
			var told []time.Duration
			l := &loop{clock: c, engine: engine.New(engine.Config{}, c.now()), log: hclog.NewNullLogger()}
			l.stepped = func() { told = append(told, l.wallOffset()) }
			l.offset.Store(int64(ahead))
			l.step()
			_, rest := c.read()
			stamped := time.Now().Add(ahead) // by the kernel, right before the step

			before := l.engine.Now()
			now := l.readClock()
			if now.Before(before) {
				t.Errorf("time went from %v to %v", before, now)
			}
			if got := l.wallOffset(); (got - rest).Abs() > wallJitter {
				t.Errorf("the wall clock is taken to be ahead by %v, and is by %v", got, rest)
			}
			if got := l.engine.State().Offset; got != l.wallOffset() {
				t.Errorf("the engine has an offset of %v, and the loop %v", got, l.wallOffset())
			}
			for _, stamp := range []time.Time{stamped, time.Now()} {
				at := l.clampTime(stamp.Add(-l.wallOffset()), now)
				if at.Before(l.engine.Now()) || at.After(l.clock.now()) {
					t.Errorf("a packet stamped %v is taken to be of %v, which is not from %v to now", stamp, at, l.engine.Now())
				}
			}

			t.Log("# once is enough")
			was := l.wallOffset()
			l.readClock()
			if l.wallOffset() != was {
				t.Errorf("it was set again, from %v to %v", was, l.wallOffset())
			}
			if len(told) != 1 || told[0] != was {
				t.Errorf("the journal was told %v, want %v once", told, was)
			}
		})
	}
}
