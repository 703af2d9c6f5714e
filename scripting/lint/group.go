package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A try is a simulated attempt at a door of a group.
type try struct {
	door  *engine.Door
	stage int
}

// opens reports whether knocks of one source, all in time, open d by the rules
// of [engine.PolicyKnockd].
func (c *checker) opens(d *engine.Door, knocks []engine.Knock) bool {
	var live []try
	opened := false
	for _, k := range knocks {
		if len(live) == 0 {
			live = c.begun(d, k)
		} else if !c.counts(d, k) {
			continue
		}
		live = slices.DeleteFunc(live, func(t try) bool { return concerns(t.door, k) && !overlap(k, t.door.Sequence[t.stage]) })
		for i := range live {
			if concerns(live[i].door, k) {
				live[i].stage++
			}
		}
		live = slices.DeleteFunc(live, func(t try) bool {
			complete := t.stage == len(t.door.Sequence)
			opened = opened || complete && t.door == d
			return complete
		})
	}
	return opened
}

// together reports whether two doors belong to one group and get the same
// packets.
func together(d, other *engine.Door) bool {
	return other.Policy == engine.PolicyKnockd && other.Group == d.Group && other.Target == d.Target
}

// counts reports whether k can be a knock of some door that is matched with d.
func (c *checker) counts(d *engine.Door, k engine.Knock) bool {
	return slices.ContainsFunc(c.knocked[k.Port], func(other *engine.Door) bool { return together(d, other) && concerns(other, k) })
}

// begun returns attempts at stage 0 at the doors whose sequence begins with k.
func (c *checker) begun(d *engine.Door, k engine.Knock) []try {
	var begun []try
	for _, other := range c.knocked[k.Port] {
		if together(d, other) && overlap(k, other.Sequence[0]) {
			begun = append(begun, try{other, 0})
		}
	}
	return begun
}

// concerns reports whether a packet can be the knock k and also have the flags
// of a door of a group.
func concerns(d *engine.Door, k engine.Knock) bool {
	return overlap(k, engine.Knock{Port: k.Port, Flags: d.Flags})
}

// implies reports whether every packet that can be k passes a test of flags.
func implies(k engine.Knock, flags engine.FlagTest) bool {
	return k.Port.Proto != packet.TCP || flags.Set&^k.Flags.Set == 0 && flags.Clear&^k.Flags.Clear == 0
}
