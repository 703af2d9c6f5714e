package engine

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// spendingSteps answers after so many steps.
func spendingSteps(n int64, err error) handlerFunc {
	return func(c *Call) (Decision, error) {
		c.Spend(n)
		return Decision{}, err
	}
}

// listener returns a door whose function uses so many steps for each packet.
func listener(t *testing.T, name, port string, n int64) *Door {
	d := scripted(aDoor(t, name, port), HookKnock, spendingSteps(n, nil))
	d.Listen = true
	return d
}

// refusals returns how many knocks were refused, and how many of them have an event.
func (w *world) refusals() (all, reported int) {
	for _, event := range w.got {
		if event.Kind == EventRefuse {
			reported++
		}
	}
	return w.e.Counts().Refusals, reported
}

// A door alone may run five calls of 200,000 steps at once, one more goes into debt, and then
// 5,000,000 steps a second.
func TestFunctionsThatStrangersRunAreBounded(t *testing.T) {
	w := newWorld(t, listener(t, "a", "udp/1", 200_000))
	for range 10 {
		w.knock(alice, "udp/1")
	}
	w.want("0s refuse a 203.0.113.9 limit (its functions may run only 5000000 steps a second)")
	if all, _ := w.refusals(); all != 4 {
		t.Errorf("%d refusals, want 4: five calls fit, and one more begins", all)
	}

	t.Log("# one call uses the allowance for 40 ms")
	w.advance(40*time.Millisecond - 1)
	w.knock(alice, "udp/1")
	if all, _ := w.refusals(); all != 5 {
		t.Errorf("%d refusals, want 5", all)
	}
	w.advance(1)
	w.knock(alice, "udp/1", "udp/1")
	if all, reported := w.refusals(); all != 6 || reported != 0 {
		t.Errorf("%d refusals, of which %d more are reported; want 6, all of one row", all, reported)
	}
	resumed, err := Resume(Config{}, w.e.State(), &Set{Doors: []*Door{listener(t, "a", "udp/1", 200_000)}})
	if err != nil {
		t.Fatal(err)
	}
	w.e = resumed
	w.advance(time.Second - 1)
	for range 7 {
		w.knock(alice, "udp/1")
	}
	w.want()
	w.advance(time.Second)
	for range 9 {
		w.knock(alice, "udp/1")
	}
	w.want("2.039999999s refuse a 203.0.113.9 limit (its functions may run only 5000000 steps a second)")
	w.advance(time.Minute)

	t.Log("# in ten seconds it is fifty million steps")
	before := w.e.Counts()
	for range 10_000 {
		w.advance(time.Millisecond)
		w.knock(bob, "udp/1")
	}
	if n := 10_000 - (w.e.Counts().Refusals - before.Refusals); n != 255 {
		t.Errorf("%d calls in ten seconds, want 250 and the five at once", n)
	}
}

// One door cannot use up what another one has. Both have an even share.
func TestADoorCannotStarveAnother(t *testing.T) {
	long := scripted(aDoor(t, "long", "udp/8", "udp/9"), HookOpen, spendingSteps(10_000_000, nil))
	plain := aDoor(t, "plain", "udp/7") // without functions, so that it takes no share
	bell := aDoor(t, "bell", "udp/2")
	bell.When = []Condition{fixedCondition{Outcome: Yes}}
	w := newWorld(t, listener(t, "a", "udp/1", 200_000), bell, long, plain)
	for range 10 {
		w.knock(alice, "udp/1")
	}
	w.want("0s refuse a 203.0.113.9 limit (its functions may run only 2500000 steps a second, the share of one door of 2)")
	w.knock(alice, "udp/2", "udp/8", "udp/9", "udp/8", "udp/9", "udp/7")
	if c := w.e.Counts(); c.Opens != 4 {
		t.Errorf("%d opens, want those of bell and plain, and two of long, which no single packet reaches", c.Opens)
	}
	w.advance(80*time.Millisecond - 1)
	w.got = nil
	w.knock(alice, "udp/1")
	if all, _ := w.refusals(); all != 5 {
		t.Errorf("%d refusals, want 5: half of the allowance is half as fast", all)
	}
	w.advance(1)
	w.knock(alice, "udp/1")
	if all, _ := w.refusals(); all != 5 {
		t.Errorf("%d refusals, want 5", all)
	}
}

// conditionThatRuns is a condition with a function.
type conditionThatRuns struct{ fixedCondition }

func (c conditionThatRuns) Check(m *Call) (Verdict, error) {
	m.Spend(400_000)
	return c.fixedCondition.Check(m)
}

// All that runs for one packet counts: conditions, functions that fail, and functions of closes.
func TestWhateverAFunctionDoesItsStepsCount(t *testing.T) {
	fails := listener(t, "a", "udp/1", 0)
	fails.Handler = spendingSteps(400_000, errors.New("boom"))
	asks := aDoor(t, "a", "udp/1")
	asks.When = []Condition{conditionThatRuns{fixedCondition{Outcome: Yes}}, conditionThatRuns{fixedCondition{Detail: "never"}}}
	fails.Limit = nil
	closes := scripted(guarding(t, aDoor(t, "a", "udp/1"), "tcp/22"), HookClose, spendingSteps(1_200_000, nil))
	for name, tt := range map[string]struct {
		door *Door
		runs int // before one is refused
	}{
		"a function that fails": {fails, 3},
		"two conditions":        {asks, 2},
	} {
		w := newWorld(t, tt.door)
		for i := range tt.runs + 1 {
			w.got = nil
			w.knock(alice, "udp/1")
			last := w.got[len(w.got)-1]
			if refused := last.Reason == Limited; refused != (i == tt.runs) {
				t.Errorf("%s: knock %d: %s", name, i+1, brief(last))
			}
		}
	}
	w := newWorld(t, closes)
	w.knock(alice, "udp/1")
	w.tick(30 * time.Second)
	w.got = nil
	w.knock(alice, "udp/1")
	w.want("30s stage a 203.0.113.9 1/1", "30s refuse a 203.0.113.9 limit (its functions may run only 5000000 steps a second)")
}

// A knock that waits for the functions uses up no limit, and one over the limit no steps.
func TestStepsAndLimitAreApart(t *testing.T) {
	d := limited(listener(t, "a", "udp/1", 1_200_000), 2, time.Hour, true)
	w := newWorld(t, d)
	w.knock(alice, "udp/1")
	for range 5 {
		w.knock(alice, "udp/1")
	}
	w.tick(40 * time.Millisecond)
	w.got = nil
	w.knock(alice, "udp/1")
	w.want()
	w.tick(time.Second)
	w.knock(alice, "udp/1", "udp/1")
	w.want("1.04s refuse a 203.0.113.9 limit (2/1h0m0s)")
	want := []Limiting{
		{Door: "a", Bound: "limit", Detail: "2/1h0m0s", ByAnyone: true, Since: w.now, Last: w.now, Source: netip.MustParseAddr(alice), Count: 2},
		{Door: "a", Bound: "steps", Detail: "its functions may run only 5000000 steps a second", ByAnyone: true, Since: monday, Last: monday, Source: netip.MustParseAddr(alice), Count: 5},
	}
	if diff := gocmp.Diff(want, w.e.Limiting(), gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("limiting (-want +got):\n%s", diff)
	}
	w.knock(bob, "udp/1")
	if all := w.e.Limiting(); !all[1].Now {
		t.Errorf("%+v: it would refuse now", all[1])
	}
}

// What was used stays through a reload and a resumption, and goes with the door.
func TestStepsOutliveAReload(t *testing.T) {
	w := newWorld(t, listener(t, "a", "udp/1", 1_200_000))
	w.knock(alice, "udp/1", "udp/1")
	resumed, err := Resume(Config{}, w.e.State(), &Set{Doors: []*Door{listener(t, "a", "udp/1", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	w.e, w.got = resumed, nil
	w.advance(40*time.Millisecond - 1)
	w.knock(alice, "udp/1")
	w.want() // the row was reported before
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{listener(t, "a", "udp/1", 1_200_000)}}))
	if w.knock(alice, "udp/1"); w.e.Counts().Refusals != 3 {
		t.Errorf("%d refusals, want 3", w.e.Counts().Refusals)
	}
	w.advance(1)
	if w.knock(alice, "udp/1"); w.e.Counts().Refusals != 3 {
		t.Errorf("%d refusals, want 3", w.e.Counts().Refusals)
	}
	w.record(w.e.Swap(w.now, &Set{}))
	if n := len(w.e.steps.byDoor); n != 0 {
		t.Errorf("%d doors are remembered that are gone", n)
	}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{listener(t, "a", "udp/1", 1)}}))
	w.knock(alice, "udp/1")
	w.advance(time.Second)
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{listener(t, "a", "udp/1", 1)}}))
	if n := len(w.e.steps.byDoor) + len(w.e.State().Steps); n != 0 {
		t.Errorf("%d doors are remembered that have used nothing lately", n)
	}
}
