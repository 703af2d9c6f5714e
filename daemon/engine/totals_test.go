package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// wantTotals compares the totals of all doors, one line each, without what is zero.
func (w *world) wantTotals(lines ...string) {
	w.t.Helper()
	got := []string{}
	for _, d := range w.e.Totals(w.now) {
		got = append(got, briefTotals(d))
	}
	if diff := gocmp.Diff(lines, got); diff != "" {
		w.t.Errorf("totals (-want +got):\n%s", diff)
	}
}

func briefTotals(d DoorTotals) string {
	parts := []string{fmt.Sprintf("%q", d.Door)}
	add := func(name string, n any) {
		if fmt.Sprint(n) != "0" && fmt.Sprint(n) != "0s" && fmt.Sprint(n) != "false" {
			parts = append(parts, fmt.Sprint(name, " ", n))
		}
	}
	add("gone", d.Gone)
	add("observed", d.Observed)
	add("attempts", d.Attempts)
	add("grants", d.Grants)
	add("stages", d.Stages)
	add("opens", d.Opens)
	add("errors", d.Errors)
	add("given", d.Given)
	add("refused early", d.Early)
	for i, n := range d.Refusals {
		add("refused "+string(RefusalReasons()[i]), n)
	}
	for i, n := range d.Misses {
		add("missed "+string(MissReasons()[i]), n)
	}
	add("granted", d.Granted)
	add("functions", d.Functions)
	return strings.Join(parts, ", ")
}

func TestWhatADoorDidIsCounted(t *testing.T) {
	d := guarding(t, aDoor(t, "a", "udp/501", "udp/502"), "tcp/22", "tcp/80")
	w := newWorld(t, d)
	w.wantTotals(`"a"`)
	t.Log("# two grants, which the second opening extends")
	w.knock(alice, "udp/501", "udp/502")
	w.wantTotals(`"a", grants 2, stages 2, opens 1, given 2`)
	w.tick(10 * time.Second)
	w.knock(alice, "udp/501", "udp/502")
	w.wantTotals(`"a", grants 2, stages 4, opens 2, given 4, granted 20s`)
	t.Log("# their lives are counted also between two inputs, and end with them")
	w.advance(5 * time.Second)
	w.wantTotals(`"a", grants 2, stages 4, opens 2, given 4, granted 30s`)
	w.tick(time.Minute)
	w.wantTotals(`"a", stages 4, opens 2, given 4, granted 1m20s`)
	t.Log("# attempts that end: out of order at the first stage, in time, and unseen")
	w.knock(alice, "udp/501")
	w.wantTotals(`"a", attempts 1, stages 5, opens 2, given 4, granted 1m20s`)
	w.advance(11 * time.Second)
	w.wantTotals(`"a", stages 5, opens 2, given 4, granted 1m20s`)
	w.knock("203.0.113.8", "udp/501")
	w.wantTotals(`"a", attempts 1, stages 6, opens 2, given 4, missed first_stage 1, granted 1m20s`)
}

func TestEachReasonOfAMissIsCounted(t *testing.T) {
	long := aDoor(t, "long", "udp/501", "udp/502", "udp/503")
	long.StepTimeout, long.Strict = 5*time.Second, true
	w := newWorld(t, long)
	w.knock(alice, "udp/501", "udp/503")
	w.wantTotals(`"long", stages 1, missed out_of_order 1`)
	w.knock(alice, "udp/501", "udp/9")
	w.wantTotals(`"long", stages 2, missed wrong_port 1, missed out_of_order 1`)
	w.knock(alice, "udp/501", "udp/502")
	w.tick(5 * time.Second)
	w.wantTotals(`"long", stages 4, missed wrong_port 1, missed out_of_order 1, missed step_timeout 1`)
	w.knock(alice, "udp/501")
	w.advance(3 * time.Second)
	w.knock(alice, "udp/502")
	other := *long
	other.Within = time.Minute
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{&other}}))
	w.wantTotals(`"long", stages 6, missed wrong_port 1, missed out_of_order 1, missed step_timeout 1, missed reload 1`)
}

func TestAnAttemptThatMakesRoomIsCounted(t *testing.T) {
	w := newWorld(t)
	w.e = New(Config{Attempts: 1}, monday)
	w.e.Swap(w.now, &Set{Doors: []*Door{aDoor(t, "a", "udp/501", "udp/502", "udp/503")}})
	w.knock(alice, "udp/501")
	w.knock("203.0.113.8", "udp/501")
	w.wantTotals(`"a", attempts 1, stages 2, missed evicted 1`)
	t.Log("# nor is there room while all attempts are at later stages")
	w.knock("203.0.113.8", "udp/502")
	w.knock(alice, "udp/501")
	w.wantTotals(`"a", attempts 1, stages 3, missed evicted 2`)
}

// A refusal before the last knock is no refusal of a sequence, also when the function fails.
func TestRefusalsOfStagesAreCountedApart(t *testing.T) {
	for name, h := range map[string]handlerFunc{
		"fails":   func(*Call) (Decision, error) { return Decision{}, &Fault{Script: "f.lua", Line: 7, Detail: "boom"} },
		"refuses": func(*Call) (Decision, error) { return Decision{Refused: true}, nil },
	} {
		failed := map[string]string{"fails": "errors 1, "}[name]
		w := newWorld(t, scripted(aDoor(t, "a", "udp/501", "udp/502", "udp/503"), HookStage, h))
		w.knock(alice, "udp/501", "udp/502")
		w.wantTotals(`"a", stages 2, ` + failed + `refused early 1`)
		t.Log("# at the last knock it is one")
		w = newWorld(t, scripted(aDoor(t, "a", "udp/501", "udp/502"), HookStage, h))
		w.knock(alice, "udp/501", "udp/502")
		w.wantTotals(`"a", stages 2, ` + failed + map[string]string{"fails": "refused script_error 1", "refuses": "refused when 1"}[name])
	}
}

func TestRefusalsAndFaultsAreCounted(t *testing.T) {
	fails := handlerFunc(func(*Call) (Decision, error) { return Decision{}, &Fault{Script: "f.lua", Line: 7, Detail: "boom"} })
	closed := aDoor(t, "closed", "udp/502")
	closed.When = []Condition{fixedCondition{Outcome: No}}
	unknown := aDoor(t, "unknown", "udp/503")
	unknown.When = []Condition{fixedCondition{Outcome: Unknown}}
	few := limited(aDoor(t, "few", "udp/504"), 1, time.Hour, false)
	w := newWorld(t, closed, unknown, few, scripted(aDoor(t, "broken", "udp/505"), HookOpen, fails))
	w.knock(alice, "udp/502", "udp/503", "udp/504", "udp/504", "udp/504", "udp/505")
	w.wantTotals(
		`"broken", stages 1, errors 1, refused script_error 1`,
		`"closed", stages 1, refused when 1`,
		`"few", stages 3, opens 1, refused limit 2`,
		`"unknown", stages 1, refused no_data 1`)
}

// A reload changes no number of a door that stays. One that goes is forgotten with its last grant.
func TestTotalsSurviveAReload(t *testing.T) {
	stays, goes := guarding(t, aDoor(t, "stays", "udp/501"), "tcp/22"), guarding(t, aDoor(t, "goes", "udp/502"), "tcp/80")
	w := newWorld(t, stays, goes, aDoor(t, "unused", "udp/503"))
	w.knock(alice, "udp/501", "udp/502")
	other := *stays
	other.Sequence, other.Observe = goes.Sequence, true
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{&other}}))
	w.wantTotals(
		`"goes", gone true, grants 1, stages 1, opens 1, given 1`,
		`"stays", observed true, grants 1, stages 1, opens 1, given 1`)
	w.tick(30 * time.Second)
	w.wantTotals(`"stays", observed true, stages 1, opens 1, given 1, granted 30s`)
}

func TestGrantsOfPersonsAreOfNoDoor(t *testing.T) {
	w := newWorld(t)
	w.record(w.e.Grant(w.now, netip.MustParsePrefix("203.0.113.9/32"), ports(t, "tcp/22")[0], time.Minute))
	w.advance(10 * time.Second)
	w.wantTotals(`"", grants 1, given 1, granted 10s`)
	w.record(w.e.Revoke(w.now, netip.MustParsePrefix("203.0.113.0/24"), ports(t, "tcp/22")[0], false))
	w.advance(time.Hour)
	w.wantTotals(`"", given 1, granted 10s`)
	t.Log("# a reload changes nothing of that; a door that went and comes again begins with nothing")
	door := &Set{Doors: []*Door{aDoor(t, "a", "udp/501")}}
	w.record(w.e.Swap(w.now, door))
	w.knock(alice, "udp/501")
	w.wantTotals(`"", given 1, granted 10s`, `"a", stages 1, opens 1`)
	w.record(w.e.Swap(w.now, &Set{}))
	w.record(w.e.Swap(w.now, door))
	w.wantTotals(`"", given 1, granted 10s`, `"a"`)
}

// Grants that were restored count as live, also before their doors are known; they were not given
// by this engine.
func TestRestoredGrantsAreLive(t *testing.T) {
	w := &world{t: t, now: monday, e: New(Config{}, monday)}
	w.record(w.e.Restore(w.now, []Record{{Grant: &Grant{
		ID: 3, Door: "a", Source: netip.MustParsePrefix("203.0.113.9/32"), Port: ports(t, "tcp/22")[0], End: monday.Add(time.Minute),
	}}}))
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{aDoor(t, "a", "udp/501")}}))
	w.tick(time.Hour)
	w.wantTotals(`"a", granted 1m0s`)
	t.Log("# and so are those of an engine that is resumed")
	w.record(w.e.Grant(w.now, netip.MustParsePrefix("203.0.113.9/32"), ports(t, "tcp/22")[0], time.Minute))
	state := w.e.State()
	e, err := Resume(Config{}, state, &Set{Doors: []*Door{aDoor(t, "a", "udp/501")}})
	if err != nil {
		t.Fatal(err)
	}
	w.e = e
	w.tick(time.Minute)
	w.wantTotals(`""`+", granted 1m0s", `"a"`)
}

func TestFunctionsAreTimed(t *testing.T) {
	var watch time.Duration
	working := &slow{name: "a", late: func() bool { watch += 3 * time.Millisecond; return false }}
	w := newWorld(t, working.door(t, "udp/501"))
	w.knock(alice, "udp/501")
	w.wantTotals(`"a", grants 1, stages 1, opens 1, given 1`)
	w.e.Stopwatch(func() time.Duration { watch += time.Millisecond; return watch })
	w.knock(alice, "udp/501")
	w.wantTotals(`"a", grants 1, stages 2, opens 2, given 2, functions 4ms`)
}

func TestFailingEffectsAreNamedOnce(t *testing.T) {
	got := FailingEffects()
	if want := []string{"allow", "exec", "undo", "mark"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// checkTotals compares the totals with the grants that are live.
func (c *chaos) checkTotals() {
	live, byDoor := map[string]int{}, c.e.Totals(c.e.Now())
	for _, g := range c.e.Grants() {
		live[g.Door]++
	}
	for _, d := range byDoor {
		if d.Grants != live[d.Door] {
			c.errorf("door %q has %d grants, its totals have %d", d.Door, live[d.Door], d.Grants)
		}
		delete(live, d.Door)
		if d.Gone && d.Grants == 0 {
			c.errorf("door %q is gone, and is still counted", d.Door)
		}
		if d.Attempts < 0 || d.Granted < 0 {
			c.errorf("the totals of door %q are %+v", d.Door, d)
		}
	}
	if len(live) > 0 {
		c.errorf("there are no totals of %v", live)
	}
}
