package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// A slow is a condition and a handler. A run of it takes 1,000 steps, unless the clock ends it.
type slow struct {
	name  string
	late  func() bool // whether the clock ends the run; nil: the function must not run
	runs  int
	fault error // of a run that the clock does not end
}

func (s *slow) run(c *Call) error {
	return c.Run(func() (int64, error) {
		s.runs++
		if s.late() {
			return 7, fmt.Errorf("running: %w", &Fault{Script: s.name + ".lua", Line: s.runs, Detail: "stopped", Timeout: true})
		}
		return 1000, s.fault
	})
}

func (s *slow) Check(c *Call) (Verdict, error) { return Verdict{Outcome: Yes}, s.run(c) }
func (s *slow) Handle(c *Call) (Decision, error) {
	return Decision{Operations: []Operation{Allow{}}}, s.run(c)
}
func (s *slow) Name() string   { return s.name }
func (s *slow) String() string { return s.name }
func yes() bool                { return true }
func (s *slow) door(t *testing.T, on string) *Door {
	return s.onOpen(guarding(t, aDoor(t, s.name, on), "tcp/22"))
}

func (s *slow) onOpen(d *Door) *Door {
	d.Hooks, d.Handler = HookOpen, s
	return d
}

// What the clock ended is refused for a reason of its own, and is an input that a replay repeats.
func TestARunThatTheClockEndedIsRepeated(t *testing.T) {
	live := &slow{name: "a", late: yes}
	w := newWorld(t, live.door(t, "udp/501"))
	w.knock(alice, "udp/501")
	ended := w.e.Timeouts()
	story := []string{
		"0s stage a 203.0.113.9 1/1",
		"0s error a 203.0.113.9 script_timeout (stopped)",
		"0s refuse a 203.0.113.9 script_timeout",
	}
	w.want(story...)
	want := []Timeout{{Run: 0, Fault: Fault{Script: "a.lua", Line: 1, Detail: "stopped", Timeout: true}}}
	if diff := gocmp.Diff(want, ended); diff != "" {
		t.Errorf("timeouts (-want +got):\n%s", diff)
	}

	t.Log("# the next input has none")
	live.late = func() bool { return false }
	w.advance(time.Second)
	w.knock(bob, "udp/501")
	if len(w.e.Timeouts()) > 0 || live.runs != 2 {
		t.Errorf("%v, %d runs", w.e.Timeouts(), live.runs)
	}

	t.Log("# a replay does not run the function")
	never := &slow{name: "a"}
	w = newWorld(t, never.door(t, "udp/501"))
	w.e.SetTimeouts(ended)
	w.knock(alice, "udp/501")
	w.want(story...)
	if diff := gocmp.Diff(want, w.e.Timeouts()); diff != "" {
		t.Errorf("timeouts of the replay (-want +got):\n%s", diff)
	}
}

// Of several runs of one input the one with the number is repeated, and the others run.
func TestTimeoutsHaveTheNumberOfTheRun(t *testing.T) {
	conditions := []*slow{{name: "a"}, {name: "b"}, {name: "c"}}
	for late := range conditions {
		at, door := 0, aDoor(t, "d", "udp/501")
		for i, c := range conditions {
			c.runs, c.late = 0, func() bool { return i == late }
			door.When = append(door.When, c)
		}
		w := newWorld(t, door)
		w.knock(alice, "udp/501")
		if ended := w.e.Timeouts(); len(ended) != 1 || ended[0].Run != late {
			t.Fatalf("got %v, want run %d", ended, late)
		}
		given := w.e.Timeouts()
		w = newWorld(t, door)
		w.e.SetTimeouts(given)
		conditions[late].late = nil // would panic
		w.knock(alice, "udp/501")
		for i, c := range conditions {
			if at = c.runs; i < late && at != 2 || i > late && at != 0 {
				t.Errorf("timeout of %d: condition %d ran %d times", late, i, at)
			}
		}
	}
}

// A call of a test without an engine just runs.
func TestARunWithoutAnEngine(t *testing.T) {
	s := &slow{name: "a", late: yes}
	if err := s.run(&Call{}); err == nil || s.runs != 1 {
		t.Error(err, s.runs)
	}
}

// A run that the clock ended counts as much as all doors may run in a second: strangers who cause
// it by single packets take at most a quarter of the time of the loop.
func TestATimeoutUsesTheAllowanceOfItsDoor(t *testing.T) {
	s := &slow{name: "a", late: yes}
	d := aDoor(t, "a", "udp/1")
	d.Listen, d.Hooks, d.Handler = true, HookKnock, s
	w := newWorld(t, d)
	for range 100 {
		w.knock(alice, "udp/1")
		w.advance(100 * time.Millisecond)
	}
	// Ten seconds. The burst is a fifth of a second.
	if s.runs != 11 {
		t.Errorf("%d runs, want one a second", s.runs)
	}
}

// For an hour people are told which scripts it were.
func TestScriptsThatTimedOutAreKnownForAnHour(t *testing.T) {
	s := &slow{name: "a", late: yes}
	w := newWorld(t, s.door(t, "udp/501"))
	w.knock(alice, "udp/501")
	w.advance(time.Minute)
	w.knock(bob, "udp/501")
	want := []TimedOut{{Script: "a.lua", Fault: Fault{Script: "a.lua", Line: 2, Detail: "stopped", Timeout: true}, At: monday.Add(time.Minute), Count: 2}}
	if diff := gocmp.Diff(want, w.e.TimedOut()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.tick(time.Hour - 1)
	if len(w.e.TimedOut()) != 1 {
		t.Error("it is forgotten within the hour")
	}
	w.tick(1)
	if all := w.e.TimedOut(); len(all) != 0 {
		t.Errorf("after an hour: %v", all)
	}
	w.knock(alice, "udp/501")
	if all := w.e.TimedOut(); len(all) != 1 || all[0].Count != 1 {
		t.Errorf("a new count: %v", all)
	}
}

func TestScriptsThatTimedOutAreBounded(t *testing.T) {
	ended := timeouts{scripts: map[string]*TimedOut{}}
	for i := range 2 * maxTimedOut {
		ended.note(fmt.Sprint(i), Fault{}, monday)
	}
	if len(ended.scripts) != maxTimedOut {
		t.Errorf("%d are known", len(ended.scripts))
	}
	ended.note("new", Fault{}, monday.Add(timedOutFor))
	if len(ended.scripts) != 1 {
		t.Errorf("%d are known after an hour", len(ended.scripts))
	}
}

// Whichever runs the clock ends: a replay with them gives the same events, and charges the same.
func TestReplaysWithTimeouts(t *testing.T) {
	ended := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 16))
		set := func(late func() bool) []*Door {
			a, b := &slow{name: "a", late: late}, &slow{name: "b", late: late}
			d := a.door(t, "udp/501")
			d.When = []Condition{b, a}
			listening := aDoor(t, "l", "udp/502")
			listening.Listen, listening.Hooks, listening.Handler, listening.When = true, HookKnock, b, []Condition{a}
			return []*Door{d, listening}
		}
		live := newWorld(t, set(func() bool { return r.IntN(5) == 0 })...)
		again := newWorld(t, set(func() bool { return false })...)
		for range 50 {
			step := time.Duration(r.IntN(int(time.Second)))
			live.advance(step)
			again.advance(step)
			port := []string{"udp/501", "udp/502"}[r.IntN(2)]
			live.knock(alice, port)
			ended += len(live.e.Timeouts())
			again.e.SetTimeouts(slices.Clone(live.e.Timeouts()))
			again.knock(alice, port)
		}
		if !reflect.DeepEqual(live.got, again.got) || !reflect.DeepEqual(live.e.steps, again.e.steps) || live.e.serial != again.e.serial {
			t.Fatalf("seed %d: the replay differs", seed)
		}
	}
	if ended < 1000 {
		t.Errorf("only %d timeouts", ended)
	}
}
