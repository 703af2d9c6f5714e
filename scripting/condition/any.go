package condition

import (
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// Any is the kind of condition that holds when one of others does.
func Any() Kind {
	return Kind{
		Name: "any", Type: "{ condition, ..., options }",
		Doc:       "Makes a condition that holds when one of others does.",
		Example:   `local either = sesame.any { hours, office }`,
		Item:      &Option{Type: "a condition, or a function(attempt)"},
		NamesPart: true,
		Build:     combining(func(c combination) engine.Condition { return &anyOf{c} }),
	}
}

type anyOf struct{ combination }

// Check checks the members in order, until one holds or fails. When none holds
// and one is unknown, the whole is unknown.
func (a *anyOf) Check(c *engine.Call) (engine.Verdict, error) {
	var unknown engine.Verdict
	var refusals []engine.Verdict
	for _, one := range a.members {
		verdict, err := c.Check(one)
		switch {
		case err != nil:
			return engine.Verdict{}, err
		case verdict.Outcome == engine.Yes:
			return a.like(engine.Yes, verdict, one), nil
		case verdict.Outcome == engine.Unknown && unknown.Outcome != engine.Unknown:
			unknown = a.like(engine.Unknown, verdict, one)
		}
		refusals = append(refusals, verdict)
	}
	if unknown.Outcome == engine.Unknown {
		return unknown, nil
	}
	return a.refused(refusals), nil
}

// refused returns the verdict when no member holds. It has the text of all
// members, and the fields of all. What several members have is that of the
// first, but for the time at which the whole holds again: that is the earliest.
func (a *anyOf) refused(verdicts []engine.Verdict) engine.Verdict {
	var texts []string
	var fields []engine.Field
	for i, v := range verdicts {
		texts = append(texts, detail(v, a.members[i]))
		for _, f := range v.Fields {
			at := slices.IndexFunc(fields, func(other engine.Field) bool { return other.Key == f.Key })
			switch {
			case at < 0:
				fields = append(fields, f)
			case f.Key == engine.FieldHoldsAgain && earlier(f.Value, fields[at].Value):
				fields[at] = f
			}
		}
	}
	last := verdicts[len(verdicts)-1]
	last.Fields = fields
	return a.decided(engine.No, last, a.members[len(a.members)-1], strings.Join(texts, " or "))
}

// earlier compares two times in RFC 3339.
func earlier(a, b string) bool {
	first, err := time.Parse(time.RFC3339, a)
	second, wrong := time.Parse(time.RFC3339, b)
	return err == nil && wrong == nil && first.Before(second)
}

// String returns "NAME: one or other".
func (a *anyOf) String() string { return a.text("", " or ") }

// MayHold reports whether one of the members may hold at a time.
func (a *anyOf) MayHold(t time.Time) bool {
	return slices.ContainsFunc(a.members, func(one engine.Condition) bool { return MayHold(one, t) })
}

func (a *anyOf) mustHold(t time.Time) bool {
	return slices.ContainsFunc(a.members, func(one engine.Condition) bool { return mustHold(one, t) })
}
