package knockdtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// manyRuns is how many random scenarios the engine is compared by. It takes
// seconds; -short leaves most of them out.
const manyRuns = 20_000

// TestEngine gives the same packets to the engine and to the model without bugs,
// and expects the same of them, to the nanosecond.
func TestEngine(t *testing.T) {
	scenarios := Scenarios()
	runs := manyRuns
	if testing.Short() {
		runs /= 20
	}
	for i := range runs {
		scenarios = append(scenarios, Random(rand.New(rand.NewPCG(2, uint64(i))), fmt.Sprintf("random scenario %d", i)))
	}
	lines, opens := 0, 0
	for _, s := range scenarios {
		reported := Reported(Run(parse(t, s), Local(), Bugs{}, s.Packets))
		if got := engineLines(t, s); !slices.Equal(reported, got) {
			t.Fatalf("%s (-model +engine):\n%s\n%s", s.Name, cmp.Diff(texts(reported), texts(got)), Story(s.Conf, s.Packets))
		}
		for _, l := range reported {
			if lines++; l.Kind == Open {
				opens++
			}
		}
	}
	t.Logf("%d scenarios: the engine and the model agree on %d lines, %d of them openings", len(scenarios), lines, opens)
}

func texts(lines []Line) (all []string) {
	for _, l := range lines {
		all = append(all, l.String())
	}
	return all
}

// engineLines returns what the engine reports for a scenario.
func engineLines(t *testing.T, s Scenario) (lines []Line) {
	t.Helper()
	doors, err := parse(t, s).EngineDoors("knockd.lua", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(engine.Config{Attempts: 64}, Start)
	var local []netip.Prefix
	for _, a := range Local() {
		local = append(local, netip.PrefixFrom(a, a.BitLen()))
	}
	e.Local(Start, local)
	e.Swap(Start, &engine.Set{Doors: doors})
	for i := range s.Packets {
		for _, event := range e.Packet(&s.Packets[i]) {
			if l, ok := lineOf(event); ok {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

func lineOf(e engine.Event) (l Line, ok bool) {
	l = Line{Source: e.Source.Addr(), Door: e.Door, Stage: e.Stage}
	switch {
	case e.Kind == engine.EventStage:
		l.Kind = Stage
	case e.Kind == engine.EventOpen:
		l.Kind = Open
	case e.Kind == engine.EventMiss && e.Reason == engine.TotalTimeout:
		l.Kind = Timeout
	case e.Kind == engine.EventMiss:
		l.Kind, l.Reason = Wrong, string(e.Reason)
	default:
		return l, false
	}
	return l, true
}

// TestBugs proves that each bug of the model changes something: with it alone, some scenario
// ends differently than without any bug.
func TestBugs(t *testing.T) {
	for name, bugs := range map[string]Bugs{
		"lost attempts": {LostAttempts: true}, "whole seconds": {WholeSeconds: true}, "lazy expiry": {LazyExpiry: true},
		"retransmits": {Retransmits: true}, "by age": {ByAge: true}, "same names": {SameNames: true},
	} {
		differ := 0
		for _, s := range Scenarios() {
			file := parse(t, s)
			if !slices.Equal(Run(file, Local(), Bugs{}, s.Packets), Run(file, Local(), bugs, s.Packets)) {
				differ++
			}
		}
		if differ == 0 {
			t.Errorf("%s: no scenario shows it", name)
		}
	}
}
