package condition

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// A combination is a condition made of others, its members. Any, all and none
// follow the logic of three values by Kleene (Introduction to Metamathematics,
// 1952, section 64): what is unknown counts only when no other member decides.
//
// A refusal names the combination when the script gave it a name, and otherwise
// the member that decided: the first that decides, and for any, where all of
// them refuse together, the last.
type combination struct {
	name    string
	named   bool
	members []engine.Condition
}

// combining makes the Build of a kind of combination.
func combining(build func(combination) engine.Condition) func(string, Values) (engine.Condition, error) {
	return func(name string, v Values) (engine.Condition, error) {
		if len(v.List) == 0 {
			return nil, errors.New("expected at least one condition")
		}
		return build(combination{name, !v.Nameless, list[engine.Condition](v)}), nil
	}
}

// Members returns the conditions of which this one is made.
func (c *combination) Members() []engine.Condition { return c.members }

// Name implements [engine.Condition].
func (c *combination) Name() string { return c.name }

// text returns "NAME: one or other", with the word between the members.
func (c *combination) text(before, between string) string {
	texts := make([]string, len(c.members))
	for i, one := range c.members {
		texts[i] = one.String()
	}
	return c.name + ": " + before + strings.Join(texts, between)
}

// decided returns the verdict of the combination when that of one member
// decides. Detail is the text for people, without the name of the combination.
func (c *combination) decided(o engine.Outcome, v engine.Verdict, member engine.Condition, detail string) engine.Verdict {
	v.Condition, v.Detail = cmp.Or(v.Condition, member.Name()), detail
	return c.like(o, v, member)
}

// like returns the verdict of the combination when it is that of one member. A
// combination without a name adds nothing to what the member says.
func (c *combination) like(o engine.Outcome, v engine.Verdict, member engine.Condition) engine.Verdict {
	v.Outcome, v.Condition, v.Detail = o, cmp.Or(v.Condition, member.Name()), detail(v, member)
	if c.named {
		v.Condition, v.Detail = c.name, c.name+": "+v.Detail
	}
	return v
}

// detail returns what a member says, for people. A member that holds need not
// say anything; then its text stands.
func detail(v engine.Verdict, member engine.Condition) string {
	return cmp.Or(v.Detail, member.String())
}

// mustHold reports whether a condition holds at a time of day, whatever else is
// true or unknown then.
func mustHold(c engine.Condition, t time.Time) bool {
	switch c := c.(type) {
	case interface{ mustHold(t time.Time) bool }:
		return c.mustHold(t)
	case interface{ MayHold(t time.Time) bool }:
		return c.MayHold(t)
	}
	return false
}

// Possible reports whether a condition may hold, when leaf tells it of the
// conditions of which any and all are made: of those of the kind none too.
func Possible(c engine.Condition, leaf func(engine.Condition) bool) bool {
	one := func(member engine.Condition) bool { return Possible(member, leaf) }
	switch c := c.(type) {
	case *anyOf:
		return slices.ContainsFunc(c.members, one)
	case *allOf:
		return !slices.ContainsFunc(c.members, func(member engine.Condition) bool { return !one(member) })
	}
	return leaf(c)
}
