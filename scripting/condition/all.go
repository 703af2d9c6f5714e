package condition

import (
	"slices"
	"time"

	"sesame/daemon/engine"
)

// All is the kind of condition that holds when all of others do.
func All() Kind {
	return Kind{
		Name: "all", Type: "{ condition, ..., options }",
		Doc:       "Makes a condition that holds when all of others do.",
		Example:   `local both = sesame.all { hours, office }`,
		Item:      &Option{Type: "a condition, or a function(attempt)"},
		NamesPart: true,
		Build:     combining(func(c combination) engine.Condition { return &allOf{c} }),
	}
}

type allOf struct{ combination }

// Check checks the members in order, until one does not hold or fails. When all
// others hold and one is unknown, the whole is unknown.
func (a *allOf) Check(c *engine.Call) (engine.Verdict, error) {
	decided := engine.Verdict{Outcome: engine.Yes}
	for _, one := range a.members {
		verdict, err := c.Check(one)
		switch {
		case err != nil:
			return engine.Verdict{}, err
		case verdict.Outcome == engine.No:
			return a.like(engine.No, verdict, one), nil
		case verdict.Outcome == engine.Unknown && decided.Outcome == engine.Yes:
			decided = a.like(engine.Unknown, verdict, one)
		}
	}
	if decided.Outcome == engine.Yes {
		decided.Condition, decided.Detail = a.name, a.String()
	}
	return decided, nil
}

// String returns "NAME: one and other".
func (a *allOf) String() string { return a.text("", " and ") }

// MayHold reports whether all members may hold at a time.
func (a *allOf) MayHold(t time.Time) bool {
	return !slices.ContainsFunc(a.members, func(one engine.Condition) bool { return !MayHold(one, t) })
}

func (a *allOf) mustHold(t time.Time) bool {
	return !slices.ContainsFunc(a.members, func(one engine.Condition) bool { return !mustHold(one, t) })
}
