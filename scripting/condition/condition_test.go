package condition

import (
	"testing"
	"time"

	"sesame/daemon/engine"
)

// of returns a combination without a name.
func of(members ...engine.Condition) combination { return combination{"it", false, members} }

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
		{"any of one window", &anyOf{of(never)}, false, 2},
		{"any of both", &anyOf{of(never, &anyOf{of(always)})}, true, 4},
		{"all of both", &allOf{of(always, never)}, false, 3},
		{"none of a window", &noneOf{of(never)}, true, 2},
		{"none of what does not depend on the time", &noneOf{of(always)}, true, 2},
		{"none of a window that holds", &noneOf{of(&noneOf{of(never)})}, false, 3},
		{"none of a window and more", &noneOf{of(&allOf{of(&noneOf{of(never)}, always)})}, true, 5},
	} {
		if got := MayHold(tt.when, monday); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
		if n := Count([]engine.Condition{tt.when}); n != tt.n {
			t.Errorf("%s: %d conditions, want %d", tt.name, n, tt.n)
		}
	}
}
