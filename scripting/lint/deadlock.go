package lint

import (
	"fmt"
	"slices"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// deadlocks finds doors that nothing opens, because they wait for doors that
// wait for them, or that give nothing.
func (c *checker) deadlocks() {
	opens := c.grow(func(d *engine.Door, in doors) bool { return c.awaits(d, in) == nil })
	for _, d := range c.set.Engine.Doors {
		if other := c.awaits(d, opens); other != nil {
			c.door(Deadlock, d, fmt.Sprintf("its conditions wait for door %q (%s:%d), which %s: nothing opens this one",
				other.Name, other.File, other.Line, whyNot(d, other)),
				"take the condition out of one of them; on_open can ask instead, with attempt:holds: a door that on_open refuses is completed all the same")
		}
	}
}

type doors map[*engine.Door]bool

// grow begins with no door, and adds each for which the rule holds with those
// that are in, until no other can be added. The rule must never need fewer
// doors. It is asked once for a door, and again whenever a door that the
// conditions of this one ask for is added: each search through the doors that
// ask for doors would take exponential time.
func (c *checker) grow(rule func(d *engine.Door, in doors) bool) doors {
	askedBy := map[*engine.Door][]*engine.Door{}
	for _, d := range c.set.Engine.Doors {
		asks := doors{}
		condition.Walk(d.When, func(one engine.Condition) {
			if other := c.byName[condition.DoorOf(one)]; other != nil && !asks[other] {
				asks[other] = true
				askedBy[other] = append(askedBy[other], d)
			}
		})
	}
	in := doors{}
	for todo := slices.Clone(c.set.Engine.Doors); len(todo) > 0; {
		d := todo[0]
		todo = todo[1:]
		if !in[d] && rule(d, in) {
			in[d] = true
			todo = append(todo, askedBy[d]...)
		}
	}
	return in
}

// awaits returns a door for which d waits in vain when the doors of opens, and
// no others, can open; nil when there is none.
func (c *checker) awaits(d *engine.Door, opens doors) (other *engine.Door) {
	for _, when := range d.When {
		var missing *engine.Door
		if !condition.Possible(when, func(one engine.Condition) bool {
			door := c.byName[condition.DoorOf(one)]
			if door == nil || opens[door] && (d.Observe || !door.Observe) {
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

// free reports whether a door opens whatever the clock and the lists say, when
// those of others do: it has no conditions, or they ask for such doors alone.
func (c *checker) free(d *engine.Door, others doors) bool {
	return !slices.ContainsFunc(d.When, func(when engine.Condition) bool {
		return !condition.Possible(when, func(one engine.Condition) bool {
			other := c.byName[condition.DoorOf(one)]
			return other != nil && !other.Observe && others[other]
		})
	})
}
