package perturb

import (
	"bytes"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/repeat"
)

// collected returns the report of outcomes for two sources of one door. The seeds begin shortly
// before the last one, after which they begin again.
func collected(outcomes ...outcome) *Report {
	nine, eight := pair{"ssh", netip.MustParseAddr("203.0.113.9")}, pair{"ssh", netip.MustParseAddr("203.0.113.8")}
	p := &Plan{route: &route{}, plain: map[pair]chance{nine: {opens: 1}, eight: {opens: 1}}, pairs: []pair{nine, eight}, doors: []string{"ssh"}, doorOf: []int{0, 0}}
	seed := uint64(math.MaxUint64 - 1)
	c := newCollector(p, repeat.Plan{Seed: seed}, Choice{})
	for i := range outcomes {
		c.take(seed+uint64(i), outcomes[i])
	}
	return c.report()
}

func TestTheFirstSeeds(t *testing.T) {
	why := because{reason: Reason{Result: Silent}, by: 1}
	second := outcome{shorts: []short{{pair: 1, by: 1}}, reasons: []because{why}, errors: 2}
	first := outcome{shorts: []short{{pair: 0, by: 1}}, reasons: []because{why}, errors: 1}
	r := collected(outcome{}, second, first, first)
	if r.Doors[0].First != math.MaxUint64 || r.Failed != 3 || r.FirstFailed != math.MaxUint64 {
		t.Errorf("the first is %d; %d failed, first %d", r.Doors[0].First, r.Failed, r.FirstFailed)
	}
	for _, s := range r.Doors[0].Sources {
		if want := map[string]uint64{"203.0.113.8": math.MaxUint64, "203.0.113.9": 0}[s.Address]; s.First != want {
			t.Errorf("the first of %s is %d, want %d", s.Address, s.First, want)
		}
	}
	r = collected(outcome{}, first, second)
	if r.Doors[0].First != math.MaxUint64 {
		t.Errorf("the other way the first is %d", r.Doors[0].First)
	}
}

// TestFirstShort has two doors, one of which opened always.
func TestFirstShort(t *testing.T) {
	opened, short := Door{Chances: repeat.Share{Of: 2, All: 2}}, func(first uint64) Door {
		return Door{Chances: repeat.Share{Of: 1, All: 2}, First: first}
	}
	for _, tt := range []struct {
		doors []Door
		want  uint64
	}{
		{nil, 5}, {[]Door{opened}, 5}, {[]Door{opened, short(9)}, 9}, {[]Door{short(9), short(7)}, 7},
		{[]Door{short(7), short(9)}, 7}, {[]Door{short(3), short(math.MaxUint64)}, math.MaxUint64},
	} {
		if got := (&Report{Seed: 5, Runs: 100, Doors: tt.doors}).FirstShort(); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.doors, got, tt.want)
		}
	}
}

// TestTheOrderOfReasons has the most frequent one first. Of equals the order is that of their
// fields, not that in which they came.
func TestTheOrderOfReasons(t *testing.T) {
	silent, fewer, refused := Reason{Result: Silent}, Reason{Result: Fewer}, Reason{Result: account.ResultRefused}
	r := collected(
		outcome{reasons: []because{{reason: silent, by: 1, text: "first"}, {reason: fewer, by: 3}}},
		outcome{reasons: []because{{reason: refused, by: 2}, {reason: silent, by: 1, text: "second"}}},
	)
	want := []Counted{{fewer, 3, math.MaxUint64 - 1, ""}, {refused, 2, math.MaxUint64, ""}, {silent, 2, math.MaxUint64 - 1, "first"}}
	if got := r.Doors[0].Reasons; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// show returns what there is to tell of one run.
func (w *world) show(t *testing.T, n Network) *Single {
	t.Helper()
	single, err := w.plan(t, n).Show(t.Context(), 1, Machine{Set: w.set}, View{Writer: transcript.NewJSON(&bytes.Buffer{})})
	if err != nil {
		t.Fatal(err)
	}
	return single
}

func TestTheWordsForACopy(t *testing.T) {
	single := build(t, "0s 203.0.113.9 tcp/1", door("ssh", 1)).show(t, Network{Duplicate: 1, Jitter: 200 * time.Millisecond})
	if len(single.Fates) != 3 {
		t.Fatalf("%+v", single.Fates)
	}
	for i, want := range []string{"late by ", "a copy followed after ", "its copy was late by "} {
		if f := single.Fates[i]; f.Words != want+f.By || f.Text != "packet 1, tcp/1 of 203.0.113.9: "+f.Words {
			t.Errorf("%+v, want %q", f, want)
		}
	}
}

func TestManyFatesAreCounted(t *testing.T) {
	for n, more := range map[int]int{mostFates: 0, mostFates + 3: 3} {
		single := build(t, knocks("203.0.113.9", slices.Repeat([]int{-1}, n)...), door("ssh", -1)).show(t, Network{Loss: 1})
		if len(single.Fates) != mostFates || single.More != more {
			t.Errorf("of %d: %d are told, and %d more", n, len(single.Fates), single.More)
		}
	}
}

// TestTheOtherHalf has a knock of two addresses. The accounts of the one run that is shown tell it.
func TestTheOtherHalf(t *testing.T) {
	single := build(t, "0s 203.0.113.9 tcp/1\n1s 203.0.113.10 tcp/2", door("ssh", 1, 2)).show(t, Network{})
	var all []string
	for _, a := range single.Accounts {
		all = append(all, a.Lines...)
	}
	if !strings.Contains(strings.Join(all, "\n"), "203.0.113.10 sent the other half (packet 2)") {
		t.Errorf("%q", all)
	}
}
