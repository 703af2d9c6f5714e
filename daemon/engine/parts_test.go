package engine

import (
	"slices"
	"testing"
	"time"
)

// crowd returns an engine whose grants end one after another, after step each.
func crowd(t *testing.T, n int, step time.Duration) *world {
	w := newWorld(t)
	w.swap(guarding(t, aDoor(t, "ssh", "udp/500"), "tcp/22"))
	for i := range n {
		w.knock(neighbour(i), "udp/500")
		w.advance(step)
	}
	w.got = nil
	w.advance(time.Hour)
	return w
}

// Many timers can be given in parts, and then no input has many events. All together are the same.
func TestManyTimersInParts(t *testing.T) {
	const n, size = 1000, 64
	whole, inParts := crowd(t, n, time.Millisecond), crowd(t, n, time.Millisecond)
	whole.record(whole.e.Tick(whole.now))
	parts := inParts.e.Parts(inParts.now, size)
	if len(parts) != n/size {
		t.Errorf("%d parts: %v", len(parts), parts)
	}
	for _, at := range append(parts, inParts.now) {
		events := inParts.e.Tick(at)
		if len(events) > 2*size {
			t.Errorf("%d events at %v", len(events), at)
		}
		inParts.record(events)
	}
	if got, want := inParts.texts(), whole.texts(); len(want) < n || !slices.Equal(got, want) {
		t.Errorf("%d events are %d in parts, or others", len(want), len(got))
	}
	inParts.live(0)
}

// texts returns what is known of the events so far.
func (w *world) texts() (all []string) {
	for _, e := range w.got {
		all = append(all, e.Time.String()+" "+brief(e))
	}
	return all
}

func TestTimersThatHaveNoParts(t *testing.T) {
	for name, tt := range map[string]struct {
		timers int
		step   time.Duration
		until  time.Duration // from the first knock
		parts  int
	}{
		"none":              {0, time.Millisecond, time.Hour, 0},
		"few":               {64, time.Millisecond, time.Hour, 0},
		"one more":          {65, time.Millisecond, time.Hour, 1},
		"twice as many":     {128, time.Millisecond, time.Hour, 1},
		"all of one time":   {1000, 0, time.Hour, 0},
		"none that is due":  {1000, time.Millisecond, 30*time.Second - 1, 0},
		"some that are due": {1000, time.Millisecond, 30*time.Second + 128*time.Millisecond, 2},
		"one that is not":   {1000, time.Millisecond, 30*time.Second + 128*time.Millisecond - 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := crowd(t, tt.timers, tt.step)
			until := monday.Add(tt.until)
			if parts := w.e.Parts(until, 64); len(parts) != tt.parts || slices.ContainsFunc(parts, until.Before) {
				t.Errorf("parts until %v: %v", until, parts)
			}
		})
	}
}
