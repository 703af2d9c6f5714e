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

// together returns the traps of doors that begin together.
func together(doors []*draft) (found []trap) {
	begin := map[packet.Port][]*draft{}
	for _, d := range doors {
		if len(d.Sequence) == 0 || d.Nowhere {
			continue
		}
		first := d.Sequence[0]
		earlier := begin[first]
		for _, other := range earlier {
			if d.meets(other) {
				found = append(found, trap{line: d.sequenceLine(), door: d, text: parallel(d, other)})
				break
			}
		}
		if other := d.lost(earlier); other != nil {
			found = append(found, trap{line: d.sequenceLine(), door: d, text: fmt.Sprintf("knockd drops this door's attempt when the one in %s ends, which it does first, "+
				"so there this door hardly ever opens, while here it does: give it another first port", shown(other.Name))})
		}
		if len(earlier) < maxTogether {
			begin[first] = append(earlier, d)
		}
	}
	return found
}

func (d *draft) sequenceLine() int { return max(d.said["SEQUENCE"].line, d.Line) }

// meets reports whether a packet can begin both doors. A target may be an address
// of the host, and then its packets are also those of doors without target.
func (d *draft) meets(other *draft) bool {
	if d.Target.IsValid() && other.Target.IsValid() && d.Target != other.Target {
		return false
	}
	return d.Sequence[0].Proto != packet.TCP || d.Flags.Set&other.Flags.Clear == 0 && other.Flags.Set&d.Flags.Clear == 0
}

// parallel says what it means that a door begins with an earlier one.
func parallel(d, earlier *draft) string {
	name, short := shown(earlier.Name), min(len(d.Sequence), len(earlier.Sequence))
	switch {
	case !slices.Equal(d.Sequence[:short], earlier.Sequence[:short]):
		return fmt.Sprintf("%s begins with the same knock, so whoever knocks at one of the two has begun both: give each its own first port", name)
	case len(d.Sequence) == len(earlier.Sequence):
		return fmt.Sprintf("%s has the same sequence, so the two open together: give each its own", name)
	case short == len(d.Sequence):
		return fmt.Sprintf("the sequence of %s begins with this whole one, so whoever opens that opens this on the way: give each its own first port", name)
	}
	return fmt.Sprintf("this sequence begins with the whole one of %s, so whoever opens this opens that on the way: give each its own first port", name)
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
