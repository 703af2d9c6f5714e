package knockdtest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestRandom checks that random scenarios are useful: most open a door, and
// each bug shows in many of them.
func TestRandom(t *testing.T) {
	const count = 2000
	opens, longest := 0, 0
	differ := map[string]int{}
	for i := range count {
		s := Random(rand.New(rand.NewPCG(1, uint64(i))), strconv.Itoa(i)).WithEnd("end")
		file := parse(t, s)
		if margin := Margin(s.Packets); margin < 25*time.Millisecond {
			t.Errorf("scenario %d: within %v of a whole second", i, margin)
		}
		right := Run(file, Local(), Bugs{}, s.Packets)
		if slices.ContainsFunc(right, func(l Line) bool { return l.Kind == Open && l.Door != "end" }) {
			opens++
		}
		longest = max(longest, len(s.Packets))
		for name, bugs := range map[string]Bugs{
			"lost attempts": {LostAttempts: true}, "whole seconds": {WholeSeconds: true}, "lazy expiry": {LazyExpiry: true},
			"retransmits": {Retransmits: true}, "all": Knockd(),
		} {
			if !slices.Equal(Reported(right), Reported(Run(file, Local(), bugs, s.Packets))) {
				differ[name]++
			}
		}
	}
	t.Logf("%d of %d open something; those that a bug changes: %v", opens, count, differ)
	if opens < count*6/10 || longest != 15 {
		t.Errorf("%d of %d open something, and the longest has %d packets", opens, count, longest)
	}
	for _, name := range []string{"lost attempts", "whole seconds", "retransmits"} {
		if differ[name] < count/50 {
			t.Errorf("%s: changes %d of %d", name, differ[name], count)
		}
	}
}
