package condition

import (
	"testing"
	"time"

	"sesame/daemon/engine"
)

// A condition that depends on the time bounds a list of which it is the only one.
func TestMayHold(t *testing.T) {
	monday := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	sundays, err := parseDays("sun")
	if err != nil {
		t.Fatal(err)
	}
	never, always := &window{days: sundays, to: midnight, zone: time.UTC}, &networks{}
	for _, tt := range []struct {
		name string
		when engine.Condition
		want bool
		n    int
	}{
		{"a window", never, false, 1},
		{"what does not depend on the time", always, true, 1},
		{"any of one window", &anyOf{conditions: []engine.Condition{never}}, false, 2},
		{"any of both", &anyOf{conditions: []engine.Condition{never, &anyOf{conditions: []engine.Condition{always}}}}, true, 4},
	} {
		if got := MayHold(tt.when, monday); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
		if n := Count([]engine.Condition{tt.when}); n != tt.n {
			t.Errorf("%s: %d conditions, want %d", tt.name, n, tt.n)
		}
	}
}
