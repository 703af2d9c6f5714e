package knockd

import (
	"fmt"
	"slices"

	"sesame/daemon/packet"
)

// This file finds doors that begin with the same knock. A packet begins an attempt at all doors
// whose first knock it is, and then each attempt continues alone: see docs/from-knockd.md, "The
// rules of the policy knockd". So no door can make another one impossible to open.
//
// knockd itself has a bug there: when the oldest attempt of all ends, all younger ones are lost
// with it (knockdtest.Bugs.LostAttempts). Then the door that is first in the file prevents another
// with the same first knock from opening.

// maxCompared is how many earlier doors a door is compared with, so that reading a file takes
// linear time.
const maxCompared = 64

// overlaps returns the warnings about doors with the same first knock, one or two for each door.
func overlaps(doors []*draft) (found []draftWarning) {
	begin := map[packet.Port][]*draft{}
	for _, d := range doors {
		if len(d.Sequence) == 0 || d.Unreachable {
			continue
		}
		warn := func(order bool, text string) {
			found = append(found, draftWarning{line: d.SequenceLine, door: d, text: text, order: order})
		}
		first := d.Sequence[0]
		earlier := begin[first]
		winner := d.lostTo(earlier)
		if i := slices.IndexFunc(earlier, d.sharesFirstKnock); i >= 0 {
			other := earlier[i]
			text, whole := describeOverlap(d, other)
			if other == winner && !whole {
				text += fmt.Sprintf("; and knockd drops this door's attempt when the one in %s ends, which it does first, so there this door hardly ever opens, while here it does", shown(other.Name))
				winner = nil
			}
			warn(whole && d.Target == other.Target, text+": "+remedy(d, other))
		}
		if winner != nil {
			warn(false, fmt.Sprintf("knockd drops this door's attempt when the one in %s ends, which it does first, "+
				"so there this door hardly ever opens, while here it does: give it another first port", shown(winner.Name)))
		}
		if len(earlier) < maxCompared {
			begin[first] = append(earlier, d)
		}
	}
	return found
}

// sharesFirstKnock reports whether one packet can begin both doors, given that their first knocks
// are equal. A target may be an address of the host, so it does not exclude a door without a
// target.
func (d *draft) sharesFirstKnock(other *draft) bool {
	if d.Target.IsValid() && other.Target.IsValid() && d.Target != other.Target {
		return false
	}
	return d.Sequence[0].Proto != packet.TCP || d.Flags.Set&other.Flags.Clear == 0 && other.Flags.Set&d.Flags.Clear == 0
}

// describeOverlap describes the overlap of a door with an earlier one. whole reports that one
// sequence begins with the other, so that opening the longer one opens both.
func describeOverlap(d, earlier *draft) (text string, whole bool) {
	name, short := shown(earlier.Name), min(len(d.Sequence), len(earlier.Sequence))
	switch {
	case !slices.Equal(d.Sequence[:short], earlier.Sequence[:short]):
		return name + " begins with the same knock, so whoever knocks at one of the two has begun both", false
	case len(d.Sequence) == len(earlier.Sequence):
		return name + " has the same sequence, so the two open together", true
	case short == len(d.Sequence):
		return fmt.Sprintf("the sequence of %s begins with this whole one, so whoever opens that opens this on the way", name), true
	}
	return fmt.Sprintf("this sequence begins with the whole one of %s, so whoever opens this opens that on the way", name), true
}

// remedy returns what to write instead.
func remedy(d, earlier *draft) string {
	if slices.Equal(d.Sequence, earlier.Sequence) {
		return "give each its own"
	}
	return "give each its own first port"
}

// lostTo returns the earlier door whose attempt makes knockd lose that of d, or nil. It follows
// one source that knocks the sequence of d while no other source knocks. Of the attempts that began
// with the first knock, live has those that are older than that of d. The oldest of them is the
// head of knockd's list. When it ends before d is complete, d is lost.
func (d *draft) lostTo(earlier []*draft) *draft {
	var live []*draft
	for _, other := range earlier {
		if other.Target == d.Target && other.Flags == d.Flags {
			live = append(live, other)
		}
	}
	for stage := 1; stage < len(d.Sequence) && len(live) > 0; stage++ {
		ended := func(other *draft) bool {
			return len(other.Sequence) <= stage || !slices.Equal(other.Sequence[:stage], d.Sequence[:stage])
		}
		if ended(live[0]) {
			return live[0]
		}
		live = slices.DeleteFunc(live, ended)
	}
	return nil
}
