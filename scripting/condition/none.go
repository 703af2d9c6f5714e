package condition

import (
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// None is the kind of condition that holds when none of others does.
func None() Kind {
	return Kind{
		Name: "none", Type: "{ condition, ..., options }",
		Doc:       "Makes a condition that holds when none of others does. What is unknown does not hold.",
		Example:   `local elsewhere = sesame.none { office }`,
		Item:      &Option{Type: "a condition, or a function(attempt)"},
		NamesPart: true,
		Build:     combining(func(c combination) engine.Condition { return &noneOf{c} }),
	}
}

type noneOf struct{ combination }

// Check checks the members in order, until one holds or fails. When none holds
// and one is unknown, the whole is unknown: what nobody knows must not pass for
// "not one of them".
func (n *noneOf) Check(c *engine.Call) (engine.Verdict, error) {
	decided := engine.Verdict{Outcome: engine.Yes}
	for _, one := range n.members {
		verdict, err := c.Check(one)
		switch {
		case err != nil:
			return engine.Verdict{}, err
		case verdict.Outcome == engine.Yes:
			return n.decided(engine.No, verdict, one, mustNot+detail(verdict, one)), nil
		case verdict.Outcome == engine.Unknown && decided.Outcome == engine.Yes:
			verdict.Detail = n.besideNone(verdict.Detail)
			decided = n.like(engine.Unknown, verdict, one)
		}
	}
	if decided.Outcome == engine.Yes {
		decided.Condition, decided.Detail = n.name, n.String()
	}
	return decided, nil
}

// besideNone changes the advice of a member how to let private addresses in. Beside the member they
// would be kept out, and others let in.
func (n *noneOf) besideNone(text string) string {
	before, rest, found := strings.Cut(text, besideLAN)
	if !found {
		return text
	}
	member, after, _ := strings.Cut(rest, " }")
	whole := "sesame.none { " + member + " }"
	if n.named {
		whole = n.name
	}
	return before + besideLAN + whole + " }" + after
}

// mustNot begins the text of a condition that must not hold.
const mustNot = "it must not hold: "

// String returns "NAME: none of one; other".
func (n *noneOf) String() string { return n.text("none of ", "; ") }

// MayHold reports whether it is possible at a time that no member holds.
func (n *noneOf) MayHold(t time.Time) bool {
	return !slices.ContainsFunc(n.members, func(one engine.Condition) bool { return mustHold(one, t) })
}

func (n *noneOf) mustHold(t time.Time) bool {
	return !slices.ContainsFunc(n.members, func(one engine.Condition) bool { return MayHold(one, t) })
}
