package lint

import (
	"fmt"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// deadlocks finds doors that nothing opens, because they wait for doors that
// wait for them, or that give nothing.
func (c *checker) deadlocks() {
	opens := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for _, d := range c.set.Engine.Doors {
			if !opens[d.Name] && c.awaits(d, opens) == nil {
				opens[d.Name], changed = true, true
			}
		}
	}
	for _, d := range c.set.Engine.Doors {
		if other := c.awaits(d, opens); other != nil {
			c.door(Deadlock, d, fmt.Sprintf("its conditions wait for door %q (%s:%d), which %s: nothing opens this one",
				other.Name, other.File, other.Line, whyNot(d, other)),
				"take the condition out of one of them; on_open can ask instead, with attempt:holds: a door that on_open refuses is completed all the same")
		}
	}
}

// awaits returns a door for which d waits in vain when the doors of opens, and
// no others, can open; nil when there is none.
func (c *checker) awaits(d *engine.Door, opens map[string]bool) (other *engine.Door) {
	for _, when := range d.When {
		var missing *engine.Door
		if !condition.Possible(when, func(one engine.Condition) bool {
			door := c.byName[condition.DoorOf(one)]
			if door == nil || opens[door.Name] && (d.Observe || !door.Observe) {
				return true
			}
			missing = door
			return false
		}) {
			return missing
		}
	}
	return nil
}

func whyNot(d, other *engine.Door) string {
	switch {
	case other.Observe && !d.Observe:
		return "only observes"
	case other == d:
		return "is this one itself"
	}
	return "cannot open before this one"
}

// free reports whether a door opens whatever the clock and the lists say: it has
// no conditions, or they ask for such doors alone. Without ends the search in a
// circle.
func (c *checker) free(d *engine.Door, without map[*engine.Door]bool) bool {
	if without[d] {
		return false
	}
	without[d] = true
	defer delete(without, d)
	for _, when := range d.When {
		if !condition.Possible(when, func(one engine.Condition) bool {
			other := c.byName[condition.DoorOf(one)]
			return other != nil && !other.Observe && c.free(other, without)
		}) {
			return false
		}
	}
	return true
}
