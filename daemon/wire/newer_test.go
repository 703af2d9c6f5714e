package wire

import (
	"testing"
	"time"
)

func TestSinceWhenARecordIsNewer(t *testing.T) {
	const day = int64(24 * time.Hour)
	early, late := firstClock-1, firstClock+100*day
	for _, tt := range []struct {
		name             string
		noted, now, want int64
	}{
		{"first", 0, late, late},
		{"later", late, late + day, late},
		{"noted before the clock was set", day, late, late},
		{"noted just before it", early, late, late},
		{"at the first time that counts", firstClock, late, firstClock},
		{"noted ahead", late + day, late, late},
		{"first, without a clock", 0, day, day},
		{"first, at the epoch", 0, 0, 1},
		{"first, before the epoch", 0, -day, 1},
		{"later, without a clock", late, day, late},
		{"again without a clock", day, 2 * day, day},
		{"the clock is as of the first day", late, firstClock, firstClock},
	} {
		if got := NewerSince(tt.noted, tt.now); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
