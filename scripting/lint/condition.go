package lint

import (
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// never finds doors whose windows have no minute in common. It looks at a week
// in winter and one in summer, because zones change their distance.
func (c *checker) never(d *engine.Door) {
	if possible(d.When, time.January) || possible(d.When, time.July) {
		return
	}
	c.door(WindowNever, d, "its windows never hold at the same time: nothing opens it",
		"a list asks for all of its conditions; sesame.any { ... } asks for one")
}

// possible reports whether all conditions may hold at some minute of a week in
// a month. The year does not matter.
func possible(conditions []engine.Condition, month time.Month) bool {
	start := time.Date(2026, month, 10, 0, 0, 0, 0, time.UTC)
	for minute := range 7 * 24 * 60 {
		now := start.Add(time.Duration(minute) * time.Minute)
		if !slices.ContainsFunc(conditions, func(one engine.Condition) bool { return !condition.MayHold(one, now) }) {
			return true
		}
	}
	return false
}
