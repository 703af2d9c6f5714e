package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// recordedUntil compares the account of a recording that ends at so many milliseconds.
func (s *story) recordedUntil(ms int, want string) {
	s.t.Helper()
	s.replay.account.ended = noon.Add(time.Duration(ms) * time.Millisecond)
	var got strings.Builder
	s.replay.account.write(&got)
	s.replay.account.ended = time.Time{}
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), got.String()); diff != "" {
		s.t.Errorf("account (-want +got):\n%s", diff)
	}
}

func TestAnAttemptThatIsOnItsWay(t *testing.T) {
	t.Log("# within the whole time, and within that of a step")
	steps := door("steps", 7000, 8000, 9000)
	steps.StepTimeout = 3 * time.Second
	s := tell(t, door("ssh", 7000, 8000, 9000), steps)
	s.knock(0, tom, 7000)
	s.recordedUntil(500, `
203.0.113.9      ssh    on its way at 1 of 3: waits for tcp/8000, until 12:00:08.000
203.0.113.9      steps  on its way at 1 of 3: waits for tcp/8000, until 12:00:03.000
`)
	s.knock(1000, tom, 8000)
	s.recordedUntil(1500, `
203.0.113.9      ssh    on its way at 2 of 3: waits for tcp/9000, until 12:00:08.000
203.0.113.9      steps  on its way at 2 of 3: waits for tcp/9000, until 12:00:04.000
`)
	s.knock(1600, tom, 9000)
	s.recordedUntil(1700, `
203.0.113.9      ssh    opened (packet 3): tcp/22 for 30s
203.0.113.9      steps  opened (packet 3): tcp/22 for 30s
`)

	t.Log("# a first knock whose time is over before the recording is, and a wrong one")
	s = tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.recordedUntil(9000, `
203.0.113.9      ssh  stopped at 1 of 3: tcp/8000 did not come before the capture ended
`)
	s = tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.knock(1, tom, 8000)
	s.knock(3, tom, 7000)
	s.recordedUntil(10, `
203.0.113.9      ssh  on its way at 1 of 3: waits for tcp/8000, until 12:00:08.003
203.0.113.9      ssh  stopped at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected
`)
	s.ends(`
203.0.113.9      ssh  stopped at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected
`)
}

func TestAnObservedOpeningDidNothing(t *testing.T) {
	d := door("ssh", 7000)
	d.Observe = true
	s := tell(t, d)
	s.knock(0, tom, 7000)
	s.ends(`
203.0.113.9      ssh  opened (packet 1): would have opened tcp/22 for 30s
`)
	for _, e := range []engine.Event{{Effect: engine.EffectExec, Argv: []string{"/notify", "a b"}, Observed: true}} {
		if got, want := accessOf(&e), `would have run /notify "a b"`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
