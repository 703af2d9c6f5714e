package knockd

import (
	"fmt"
	"slices"

	"sesame/daemon/packet"
)

// This file looks at the doors that one visitor knocks at the same time: those
// with the same first knock.
//
// No door is impossible because of another. A packet begins all doors that it
// fits, or none, and then each goes its own way. In knockd itself, though, an
// attempt that ends takes all younger ones with it when it is the oldest of all.

// maxTogether bounds how many doors a door is compared with.
const maxTogether = 64

// together returns the warnings of doors that begin together.
func together(doors []*draft) (found []draftWarning) {
	begin := map[packet.Port][]*draft{}
	for _, d := range doors {
		if len(d.Sequence) == 0 || d.Unreachable {
			continue
		}
		warn := func(order bool, text string) {
			found = append(found, draftWarning{line: d.sequenceLine(), door: d, text: text, order: order})
		}
		first := d.Sequence[0]
		earlier := begin[first]
		loses := d.lost(earlier)
		if i := slices.IndexFunc(earlier, d.meets); i >= 0 {
			other := earlier[i]
			text, whole := parallel(d, other)
			if other == loses && !whole {
				text += fmt.Sprintf("; and knockd drops this door's attempt when the one in %s ends, which it does first, so there this door hardly ever opens, while here it does", shown(other.Name))
				loses = nil
			}
			warn(whole && d.Target == other.Target, text+": "+remedy(d, other))
		}
		if loses != nil {
			warn(false, fmt.Sprintf("knockd drops this door's attempt when the one in %s ends, which it does first, "+
				"so there this door hardly ever opens, while here it does: give it another first port", shown(loses.Name)))
		}
		if len(earlier) < maxTogether {
			begin[first] = append(earlier, d)
		}
	}
	return found
}

func (d *draft) sequenceLine() int { return max(d.directives["SEQUENCE"].line, d.Line) }

// meets reports whether a packet can begin both doors. A target may be an address
// of the host, and then its packets are also those of doors without target.
func (d *draft) meets(other *draft) bool {
	if d.Target.IsValid() && other.Target.IsValid() && d.Target != other.Target {
		return false
	}
	return d.Sequence[0].Proto != packet.TCP || d.Flags.Set&other.Flags.Clear == 0 && other.Flags.Set&d.Flags.Clear == 0
}

// parallel says what it means that a door begins with an earlier one, and whether
// one of the two is passed whole on the way through the other.
func parallel(d, earlier *draft) (text string, whole bool) {
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

func remedy(d, earlier *draft) string {
	if slices.Equal(d.Sequence, earlier.Sequence) {
		return "give each its own"
	}
	return "give each its own first port"
}

// lost returns the earlier door whose attempt takes that of d with it in knockd,
// when nobody else knocks: the oldest one, which ends while d's still goes on.
func (d *draft) lost(earlier []*draft) *draft {
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
