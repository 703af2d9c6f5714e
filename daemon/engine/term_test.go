package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// An hourly is a period that goes on for the first minutes of each hour of the wall clock.
type hourly struct{ length time.Duration }

func (h hourly) Check(c *Call) (Verdict, error) {
	if c.ClockDoubt {
		return Verdict{Outcome: Unknown, Reason: ClockDoubt, Condition: h.Name()}, nil
	}
	if h.Until(c.Wall, c.Wall.Add(time.Hour)).IsZero() {
		return Verdict{Condition: h.Name()}, nil
	}
	return Verdict{Outcome: Yes}, nil
}

func (h hourly) Until(wall, limit time.Time) time.Time {
	end := wall.Truncate(time.Hour).Add(h.length)
	switch {
	case !wall.Before(end):
		return time.Time{}
	case end.After(limit):
		return limit
	}
	return end
}

func (h hourly) Name() string   { return "hourly" }
func (h hourly) String() string { return fmt.Sprintf("hourly: %v", h.length) }

// ending returns a door whose grants end with the half hour.
func ending(t *testing.T, name, knock string, ttl time.Duration) *Door {
	d := guarding(t, aDoor(t, name, knock), "tcp/22")
	d.TTL, d.EndsWith = ttl, hourly{30 * time.Minute}
	return d
}

// lastElement returns when the kernel's element must end, after the start of the world.
func (w *world) lastElement() time.Duration {
	w.t.Helper()
	for i := len(w.got) - 1; i >= 0; i-- {
		if e := w.got[i]; e.Effect == EffectElement || e.Effect == EffectAllow {
			return e.Until.Sub(monday)
		}
	}
	w.t.Fatal("no element")
	return 0
}

func TestAGrantEndsWithItsWindow(t *testing.T) {
	w := newWorld(t, ending(t, "desk", "udp/500", 20*time.Minute))
	t.Log("# the TTL is over first")
	w.knock(alice, "udp/500")
	w.tick(20 * time.Minute)
	t.Log("# and now the window; the TTL of the effect is how long the grant really lasts")
	w.knock(alice, "udp/500")
	if got := w.lastElement(); got != 30*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	w.tick(5 * time.Minute)
	w.knock(alice, "udp/500")
	w.tick(5 * time.Minute)
	t.Log("# outside of the window nothing opens, and the script hears of its mistake")
	w.knock(alice, "udp/500")
	w.want(
		"0s stage desk 203.0.113.9 1/1", "0s open desk 203.0.113.9", "0s effect desk 203.0.113.9 allow #1 tcp/22 20m0s",
		"20m0s close desk 203.0.113.9 #1 tcp/22 expired",
		"20m0s stage desk 203.0.113.9 1/1", "20m0s open desk 203.0.113.9", "20m0s effect desk 203.0.113.9 allow #2 tcp/22 10m0s",
		"25m0s stage desk 203.0.113.9 1/1", "25m0s open desk 203.0.113.9", "25m0s effect desk 203.0.113.9 allow #2 tcp/22 5m0s",
		"30m0s close desk 203.0.113.9 #2 tcp/22 window_ended",
		"30m0s stage desk 203.0.113.9 1/1",
		"30m0s error desk 203.0.113.9 (allow: ends_with hourly: 30m0s: it does not hold now, so the grant would end before it begins: ask for it in when)",
		"30m0s refuse desk 203.0.113.9 script_error")
}

func TestTheEndsOfAWindowAndOfTheTTLAtTheSameTime(t *testing.T) {
	w := newWorld(t, ending(t, "desk", "udp/500", 30*time.Minute))
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Hour)
	w.want("30m0s close desk 203.0.113.9 #1 tcp/22 expired")
}

func TestAnAllowHasAWindowOfItsOwn(t *testing.T) {
	allow := Allow{EndsWith: hourly{10 * time.Minute}}
	w := newWorld(t, scripted(ending(t, "desk", "udp/500", time.Hour), HookOpen, func(*Call) (Decision, error) {
		return Decision{Operations: []Operation{allow}}, nil
	}))
	w.knock(alice, "udp/500")
	if got := w.lastElement(); got != 10*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	t.Log("# a repeat with a longer window")
	allow.EndsWith = hourly{40 * time.Minute}
	w.knock(alice, "udp/500")
	if got := w.lastElement(); got != 40*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	t.Log("# a repeat with a shorter one never moves the end to an earlier time")
	allow.EndsWith = hourly{5 * time.Minute}
	w.knock(alice, "udp/500")
	w.got = nil
	w.tick(time.Hour)
	w.want("40m0s close desk 203.0.113.9 #1 tcp/22 window_ended")
}

func TestACommandOfAnOpeningEndsWithTheWindowOfItsDoor(t *testing.T) {
	kind := CallOpen
	handler := func(m *Call) (Decision, error) {
		if m.Kind == kind {
			return Decision{Operations: []Operation{mount}}, nil
		}
		return Decision{}, nil
	}
	d := scripted(ending(t, "desk", "udp/500", time.Hour), HookOpen|HookStage, handler)
	w := newWorld(t, d)
	w.tick(29*time.Minute + 30*time.Second)
	w.knock(alice, "udp/500")
	w.tick(time.Minute)
	w.want("29m30s stage desk 203.0.113.9 1/1", "29m30s open desk 203.0.113.9", "29m30s effect desk 203.0.113.9 exec #1 30s /bin/mount /mnt",
		"30m0s close desk 203.0.113.9 #1 window_ended", "30m0s effect desk 203.0.113.9 undo #1 /bin/umount /mnt")
	t.Log("# other commands do not")
	kind = CallStage
	two := scripted(aDoor(t, "desk", "udp/500", "udp/501"), HookOpen|HookStage, handler)
	two.EndsWith = d.EndsWith
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{two}}))
	w.knock(alice, "udp/500", "udp/501")
	w.want("30m30s stage desk 203.0.113.9 1/2", "30m30s stage desk 203.0.113.9 2/2",
		"30m30s effect desk 203.0.113.9 exec #2 1m0s /bin/mount /mnt", "30m30s open desk 203.0.113.9")
}

func TestAStepOfTheWallClockMovesTheEndsOfWindows(t *testing.T) {
	w := newWorld(t, ending(t, "desk", "udp/500", 40*time.Minute), guarding(t, aDoor(t, "plain", "udp/501"), "tcp/443"))
	w.knock(alice, "udp/500", "udp/501")
	w.got = nil
	t.Log("# the clock was 5 minutes ahead: the window ends later")
	w.record(w.e.Step(w.now, -5*time.Minute))
	if got := w.lastElement(); got != 35*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	if g := w.e.Grants()[0]; g.TTL != 35*time.Minute {
		t.Errorf("it lasts %v in all", g.TTL)
	}
	t.Log("# the clock was far ahead: the TTL is the bound")
	w.record(w.e.Step(w.now, -3*time.Hour))
	if got := w.lastElement(); got != 40*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	t.Log("# the clock was behind")
	w.record(w.e.Step(w.now, 20*time.Minute))
	if got := w.lastElement(); got != 10*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	w.got = nil
	t.Log("# the same offset changes nothing")
	w.record(w.e.Step(w.now, 20*time.Minute))
	w.want()
	t.Log("# now the window is over")
	w.record(w.e.Step(w.now, 31*time.Minute))
	w.tick(time.Minute)
	w.want("0s close desk 203.0.113.9 #1 tcp/22 window_ended", "30s close plain 203.0.113.9 #2 tcp/443 expired")
}

// The close and the end are the same when the engine was saved in between, and after a restart.
func TestTheWindowOfAGrantIsSaved(t *testing.T) {
	set := &Set{Doors: []*Door{ending(t, "desk", "udp/500", time.Hour)}}
	w := newWorld(t, set.Doors...)
	w.knock(alice, "udp/500")
	text, err := json.Marshal(w.e.State())
	if err != nil {
		t.Fatal(err)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	resumed, err := Resume(Config{}, &state, set)
	if err != nil {
		t.Fatal(err)
	}
	var saved *Grant
	for _, event := range w.got {
		if event.Persist != nil {
			saved = event.Persist.Grant
		}
	}
	record := Record{Grant: saved}
	line, err := record.Wire()
	if err != nil {
		t.Fatal(err)
	}
	back, err := RecordFrom(&line)
	if err != nil {
		t.Fatal(err)
	}
	restarted := New(Config{}, monday)
	restarted.Restore(monday, []Record{back})
	for name, e := range map[string]*Engine{"resumed": resumed, "restarted": restarted} {
		w.e, w.now, w.got = e, monday, nil
		w.record(e.Step(w.now, -10*time.Minute))
		if got := w.lastElement(); got != 40*time.Minute {
			t.Errorf("%s: the element ends after %v", name, got)
		}
		w.got = nil
		w.tick(time.Hour)
		w.want("40m0s close desk 203.0.113.9 #1 tcp/22 window_ended")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestAnExtensionThatFailsGivesTheFormerEndBack(t *testing.T) {
	allow := Allow{EndsWith: hourly{10 * time.Minute}}
	w := newWorld(t, scripted(ending(t, "desk", "udp/500", time.Hour), HookOpen, func(*Call) (Decision, error) {
		return Decision{Operations: []Operation{allow}}, nil
	}))
	answer := func(err error) {
		w.record(w.e.Result(w.now, w.got[len(w.got)-1].ID, err))
	}
	w.knock(alice, "udp/500")
	answer(nil)
	allow.EndsWith = hourly{40 * time.Minute}
	w.knock(alice, "udp/500")
	answer(errors.New("no room"))
	w.got = nil
	w.record(w.e.Step(w.now, -time.Minute))
	if got := w.lastElement(); got != 11*time.Minute {
		t.Errorf("the element ends after %v", got)
	}
	w.got = nil
	w.tick(time.Hour)
	w.want("11m0s close desk 203.0.113.9 #1 tcp/22 window_ended")
}

func TestAClockInDoubt(t *testing.T) {
	when := ending(t, "desk", "udp/500", time.Hour)
	when.When = []Condition{hourly{30 * time.Minute}}
	w := newWorld(t, when, ending(t, "free", "udp/501", time.Hour))
	w.knock(alice, "udp/501")
	w.got = nil
	w.record(w.e.Clock(w.now, true))
	if s := w.e.State(); !s.ClockDoubt {
		t.Error("the doubt is not in the state")
	}
	w.knock(alice, "udp/500", "udp/501")
	w.record(w.e.Clock(w.now, false))
	w.knock(alice, "udp/500")
	w.tick(time.Hour)
	w.want("0s stage desk 203.0.113.9 1/1", "0s refuse desk 203.0.113.9 clock",
		"0s stage free 203.0.113.9 1/1", "0s refuse free 203.0.113.9 clock (hourly: "+ClockText+")",
		"0s stage desk 203.0.113.9 1/1", "0s open desk 203.0.113.9", "0s effect desk 203.0.113.9 allow #2 tcp/22 30m0s",
		"30m0s close desk 203.0.113.9 #2 tcp/22 window_ended", "30m0s close free 203.0.113.9 #1 tcp/22 window_ended")
}

func TestAnObservedGrantEndsWithItsWindow(t *testing.T) {
	d := ending(t, "desk", "udp/500", time.Hour)
	d.Observe = true
	w := newWorld(t, d)
	w.knock(alice, "udp/500")
	w.got = nil
	w.record(w.e.Step(w.now, 10*time.Minute))
	if e := w.got[len(w.got)-1]; e.Effect != EffectElement || !e.Observed {
		t.Errorf("the last event is %s, observed %t", brief(e), e.Observed)
	}
}

func TestWindowsThatNoEngineGives(t *testing.T) {
	for _, text := range []string{
		`{"id":1,"source":"203.0.113.9/32","port":"tcp/22","end":5,"windowEnd":5}`,
		`{"id":1,"source":"203.0.113.9/32","port":"tcp/22","end":5,"ttlEnd":5}`,
		`{"id":1,"source":"203.0.113.9/32","port":"tcp/22","end":5,"windowEnd":5,"ttlEnd":4}`,
	} {
		s := New(Config{}, monday).State()
		s.LastGrant = 1
		if err := json.Unmarshal([]byte(text), func() *GrantState { s.Live = append(s.Live, GrantState{}); return &s.Live[0] }()); err != nil {
			t.Fatal(err)
		}
		if _, err := Resume(Config{}, s, &Set{}); err == nil || !strings.Contains(err.Error(), "window") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The wall clock is set while a command before the allow still runs: the port does not open before
// the command has succeeded, and never when it fails.
func TestAStepDuringADecision(t *testing.T) {
	check := Exec{Argv: []string{"/bin/check"}, Timeout: time.Second, Required: true}
	for _, failing := range []error{nil, errors.New("exit status 1")} {
		for _, offset := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
			door := scripted(ending(t, "desk", "udp/500", 40*time.Minute), HookOpen, always(check, Allow{}))
			w := newWorld(t, door)
			w.knock(alice, "udp/500")
			ids := w.takeAwaited()
			w.got = nil
			w.record(w.e.Step(w.now, offset))
			for _, event := range w.got {
				if event.Effect == EffectElement {
					t.Errorf("while the command runs: %s", brief(event))
				}
			}
			var err error
			if w.e, err = Resume(Config{}, w.e.State(), &Set{Doors: []*Door{door}}); err != nil {
				t.Fatal(err)
			}
			w.record(w.e.Result(w.now, ids[0], failing))
			if failing != nil {
				if n := w.e.grants.count(); n != 0 {
					t.Errorf("offset %v: %d grants after a failure", offset, n)
				}
				continue
			}
			w.record(w.e.Result(w.now, ids[1], nil))
			want := min(30*time.Minute-offset, 40*time.Minute)
			if got := w.lastElement(); got != want || w.got[len(w.got)-1].Effect != EffectElement {
				t.Errorf("offset %v: the element ends after %v, want %v", offset, got, want)
			}
		}
	}
}
