package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sesame/daemon/control"
)

// Whoever asks waits for a disk that hangs no longer than the limit, gets what was found before,
// and a second examination does not begin while the first hangs.
func TestALookThatHangs(t *testing.T) {
	var l look[int]
	if got, fresh := l.get(t.Context(), time.Minute, func() int { return 1 }); got != 1 || !fresh {
		t.Fatalf("got %d, fresh %t", got, fresh)
	}
	hangs := make(chan struct{})
	examined := 0
	examine := func() int {
		examined++
		<-hangs
		return 2
	}
	for range 3 {
		if got, fresh := l.get(t.Context(), time.Millisecond, examine); got != 1 || fresh {
			t.Fatalf("while it hangs: got %d, fresh %t", got, fresh)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, fresh := l.get(over, time.Hour, examine); got != 1 || fresh {
		t.Fatalf("whoever is gone: got %d, fresh %t", got, fresh)
	}
	l.mu.Lock()
	ended := l.running
	l.mu.Unlock()
	close(hangs)
	<-ended
	if examined != 1 {
		t.Errorf("%d examinations ran, want 1", examined)
	}
	if got, fresh := l.get(t.Context(), time.Minute, func() int { return l.last + 1 }); got != 3 || !fresh {
		t.Errorf("afterwards: got %d, fresh %t", got, fresh)
	}
}

func TestTroubles(t *testing.T) {
	var all troubles
	full := errors.New("no space left on device")
	for i, step := range []struct {
		err   error
		began bool
		text  string
	}{{nil, false, ""}, {full, true, full.Error()}, {full, false, full.Error()}, {nil, false, ""}, {full, true, full.Error()}} {
		if began := all.set(setNotSaved, step.err); began != step.began || all.text(setNotSaved) != step.text {
			t.Errorf("step %d: began %t, text %q", i, began, all.text(setNotSaved))
		}
	}
}

// Each trouble is in the status, and makes a reason.
func TestTroublesAreReasons(t *testing.T) {
	seen := map[string]bool{}
	for which := range troubleKinds {
		var all troubles
		all.set(which, errors.New("it fails"))
		var s control.Status
		s.Capture.Interfaces = []string{"eth0"}
		all.tell(&s)
		h := control.HealthOf(&s)
		if len(h.Reasons) != 1 || h.Verdict != control.Degraded {
			t.Errorf("trouble %d: %+v", which, h)
			continue
		}
		if text := h.Reasons[0].Text; seen[text] {
			t.Errorf("trouble %d: %q stands for another one, too", which, text)
		} else {
			seen[text] = true
		}
	}
}

// What is said at a stop is true in each mode.
func TestStopText(t *testing.T) {
	for _, c := range []struct {
		mode     control.Mode
		firewall string
		guards   bool
		want     string
	}{
		{control.Enforce, "guard", true, "stays shut"},
		{control.Enforce, "guard", false, "no port was guarded"},
		{control.Enforce, "set", true, "your own rules stay"},
		{control.Observe, "guard", true, "nothing was guarded"},
		{control.Observe, "set", false, "nothing was guarded"},
	} {
		if got := stopText(c.mode, c.firewall, c.guards); !strings.Contains(got, c.want) {
			t.Errorf("%s, %s, %t: %q, want %q", c.mode, c.firewall, c.guards, got, c.want)
		}
	}
}
