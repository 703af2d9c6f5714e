package lint

import (
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// never finds doors whose windows have no minute in common. Two weeks are
// looked at, in winter and in summer, because zones change their distance.
func (c *checker) never(d *engine.Door) {
	if !windows(d.When) || possible(d.When, time.January) || possible(d.When, time.July) {
		return
	}
	c.door(WindowNever, d, "its windows never hold at the same time: nothing opens it",
		"a list asks for all of its conditions; sesame.any { ... } asks for one")
}

// windows reports whether time of day decides anything.
func windows(conditions []engine.Condition) bool {
	return slices.ContainsFunc(conditions, func(condition engine.Condition) bool {
		switch condition := condition.(type) {
		case *scripting.Window:
			return true
		case *scripting.Any:
			return windows(condition.Conditions)
		}
		return false
	})
}

// possible reports whether the windows let all conditions hold at some minute of
// a week in a month. The year does not matter.
func possible(conditions []engine.Condition, month time.Month) bool {
	start := time.Date(2026, month, 10, 0, 0, 0, 0, time.UTC)
	for minute := range 7 * 24 * 60 {
		now := start.Add(time.Duration(minute) * time.Minute)
		if !slices.ContainsFunc(conditions, func(condition engine.Condition) bool { return !mayHold(condition, now) }) {
			return true
		}
	}
	return false
}

func mayHold(condition engine.Condition, now time.Time) bool {
	switch condition := condition.(type) {
	case *scripting.Window:
		return condition.Contains(now)
	case *scripting.Any:
		return slices.ContainsFunc(condition.Conditions, func(one engine.Condition) bool { return mayHold(one, now) })
	}
	return true
}
