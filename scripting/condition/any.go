package condition

import (
	"errors"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// Any is the kind of condition that holds when one of others does.
func Any() Kind {
	return Kind{
		Name: "any", Type: "{ condition, ..., options }",
		Doc:     "Makes a condition that holds when one of others does.",
		Example: `local either = sesame.any { hours, office }`,
		Item:    &Option{Type: "a condition, or a function(attempt)"},
		Build: func(name string, v Values) (engine.Condition, error) {
			if len(v.List) == 0 {
				return nil, errors.New("expected at least one condition")
			}
			return &anyOf{name, list[engine.Condition](v)}, nil
		},
	}
}

// anyOf is a list of conditions, of which one must hold.
type anyOf struct {
	name       string
	conditions []engine.Condition
}

// Check checks the conditions in order, until one holds or fails. When none holds and one is
// unknown, the whole is unknown.
func (a *anyOf) Check(c *engine.Call) (engine.Verdict, error) {
	var reasons []string
	decided := engine.Verdict{}
	for _, one := range a.conditions {
		verdict, err := one.Check(c)
		if verdict.Outcome == engine.Yes || err != nil {
			return verdict, err
		}
		if verdict.Outcome == engine.Unknown && decided.Outcome == engine.No {
			decided = verdict
		}
		reasons = append(reasons, verdict.Detail)
	}
	decided.Condition, decided.Detail = a.name, a.name+": "+strings.Join(reasons, " or ")
	return decided, nil
}

// Name implements [engine.Condition].
func (a *anyOf) Name() string { return a.name }

// String returns "NAME: one or other".
func (a *anyOf) String() string {
	texts := make([]string, len(a.conditions))
	for i, one := range a.conditions {
		texts[i] = one.String()
	}
	return a.name + ": " + strings.Join(texts, " or ")
}

// Members returns the conditions of which one must hold. See [Walk].
func (a *anyOf) Members() []engine.Condition { return a.conditions }

// MayHold reports whether one of the conditions may hold at a time.
func (a *anyOf) MayHold(t time.Time) bool {
	return slices.ContainsFunc(a.conditions, func(one engine.Condition) bool { return MayHold(one, t) })
}

// NextPoint implements timed.
func (a *anyOf) NextPoint(t time.Time) (time.Time, bool) { return NextPoint(a.conditions, t) }
