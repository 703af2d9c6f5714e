package lint

import (
	"fmt"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// windows finds what is wrong with the windows of a door. At the zero time the
// date is not known: then windows with dates are not looked at.
func (c *checker) windows(d *engine.Door, now time.Time) {
	c.endsOutside(d)
	if !condition.HaveDates(d.When) {
		c.never(d, possible(d.When, time.January) || possible(d.When, time.July))
		return
	}
	if now.IsZero() || c.over(d, now) {
		return
	}
	c.never(d, possibleFrom(d.When, now))
}

// never finds doors whose windows have no minute in common.
func (c *checker) never(d *engine.Door, possible bool) {
	if !possible {
		c.door(WindowNever, d, "its windows never hold at the same time: nothing opens it",
			"a list asks for all of its conditions; sesame.any { ... } asks for one")
	}
}

// possible reports whether all conditions may hold at some minute of a week in
// a month. One week in winter and one in summer are enough for windows without
// dates, because zones change their distance. The year does not matter.
func possible(conditions []engine.Condition, month time.Month) bool {
	start := time.Date(2026, month, 10, 0, 0, 0, 0, time.UTC)
	for minute := range 7 * 24 * 60 {
		if mayHold(conditions, start.Add(time.Duration(minute)*time.Minute)) {
			return true
		}
	}
	return false
}

func mayHold(conditions []engine.Condition, at time.Time) bool {
	return !slices.ContainsFunc(conditions, func(one engine.Condition) bool { return !condition.MayHold(one, at) })
}

// maxPoints bounds the look at windows with dates: it is more than ten years for
// two windows of each day.
const maxPoints = 20_000

// possibleFrom reports whether all conditions may hold at some time from now on,
// as far as maxPoints reach. What holds after ten years is as good as never.
func possibleFrom(conditions []engine.Condition, now time.Time) bool {
	for range maxPoints {
		if mayHold(conditions, now) {
			return true
		}
		next, some := condition.NextPoint(conditions, now)
		if !some {
			return false
		}
		now = next
	}
	return false
}

// over finds windows whose dates are all in the past.
func (c *checker) over(d *engine.Door, now time.Time) (found bool) {
	condition.Walk(d.When, func(one engine.Condition) {
		if condition.Over(one, now) {
			found = true
			c.door(WindowOver, d, fmt.Sprintf("no day is left on which a window holds: %s", one),
				"give it new dates, or remove the window")
		}
	})
	return found
}

// endsOutside finds doors that end with a window, and can be knocked outside of
// it.
func (c *checker) endsOutside(d *engine.Door) {
	if d.EndsWith != nil && !condition.Demand(d.When, d.EndsWith) {
		c.door(EndsOutside, d, fmt.Sprintf("its grants end with %s, and when does not ask for that: a knock outside of the window is an error, and opens nothing", d.EndsWith.Name()),
			"add it to when: a list asks for all of its conditions")
	}
}
