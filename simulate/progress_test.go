package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordedUntil compares the account of a recording that ends at so many milliseconds.
func (s *story) recordedUntil(ms int, want string) {
	s.t.Helper()
	s.stands(ms, false, want)
}

// now compares the account of a daemon that runs, at so many milliseconds.
func (s *story) now(ms int, want string) {
	s.t.Helper()
	s.stands(ms, true, want)
}

func (s *story) stands(ms int, running bool, want string) {
	s.t.Helper()
	s.replay.account.End(noon.Add(time.Duration(ms)*time.Millisecond), running)
	var got strings.Builder
	s.replay.account.Write(&got)
	s.replay.account.End(time.Time{}, false)
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
203.0.113.9      ssh    on its way at 1 of 3 when the recording ended: waited for tcp/8000, until 12:00:08.000
203.0.113.9      steps  on its way at 1 of 3 when the recording ended: waited for tcp/8000, until 12:00:03.000
`)
	s.knock(1000, tom, 8000)
	s.recordedUntil(1500, `
203.0.113.9      ssh    on its way at 2 of 3 when the recording ended: waited for tcp/9000, until 12:00:08.000
203.0.113.9      steps  on its way at 2 of 3 when the recording ended: waited for tcp/9000, until 12:00:04.000
`)
	s.knock(1600, tom, 9000)
	s.recordedUntil(1700, `
203.0.113.9      ssh    opened (packet 3), 6.4s of 8s left: tcp/22 for 30s
203.0.113.9      steps  opened (packet 3), 2.4s of step_timeout 3s left: tcp/22 for 30s
`)

	t.Log("# a first knock whose time is over before the recording is, and a wrong one")
	s = tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.recordedUntil(9000, `
203.0.113.9      ssh  stopped at 1 of 3: tcp/8000 did not come in time: its 8s were over at 12:00:08.000
`)
	s = tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.knock(1, tom, 8000)
	s.knock(3, tom, 7000)
	s.recordedUntil(10, `
203.0.113.9      ssh  on its way at 1 of 3 when the recording ended: waited for tcp/8000, until 12:00:08.003
203.0.113.9      ssh  stopped at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected
`)
	s.ends(`
203.0.113.9      ssh  stopped at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected
`)
}

// A daemon that had no input since the last knock has not noticed that the time is over.
func TestExplainOfAnAttemptThatIsOver(t *testing.T) {
	steps := door("steps", 7000, 8000, 9000)
	steps.StepTimeout = 3 * time.Second
	s := tell(t, door("ssh", 7000, 8000, 9000), steps)
	s.knock(0, tom, 7000)
	s.now(2999, `
203.0.113.9      ssh    on its way at 1 of 3: waits for tcp/8000, until 12:00:08.000
203.0.113.9      steps  on its way at 1 of 3: waits for tcp/8000, until 12:00:03.000
`)
	s.now(3000, `
203.0.113.9      ssh    on its way at 1 of 3: waits for tcp/8000, until 12:00:08.000
203.0.113.9      steps  stopped at 1 of 3: tcp/8000 did not come in time: its 3s were over at 12:00:03.000
`)
	s.now(11000, `
203.0.113.9      ssh    stopped at 1 of 3: tcp/8000 did not come in time: its 8s were over at 12:00:08.000
203.0.113.9      steps  stopped at 1 of 3: tcp/8000 did not come in time: its 3s were over at 12:00:03.000
`)

	t.Log("# the further of two attempts, and one after an opening")
	s = tell(t, door("ssh", 7000, 8000, 9000))
	for i, port := range []uint16{7000, 8000, 7000, 8000, 9000, 7000} {
		s.knock(i, tom, port)
	}
	s.now(9000, `
203.0.113.9      ssh  opened (packet 5), 7.998s of 8s left: tcp/22 for 30s
203.0.113.9      ssh  stopped 2 times, the furthest at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected
`)
	s = tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.knock(1, tom, 8000)
	s.now(8000, `
203.0.113.9      ssh  stopped at 2 of 3: tcp/9000 did not come in time: its 8s were over at 12:00:08.000
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
}
