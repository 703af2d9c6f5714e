// Package lint turns a script set that loads into findings: rules that are
// legal and probably not what their author wants.
//
// A finding has a stable id. When it is meant, a comment on its line or on the
// line above allows it, with the reason:
//
//	-- sesame:allow short only reachable from the office
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sesame/scripting"
	"sesame/scripting/source"
)

// Check returns the findings of a set by file and line, without those that its
// comments allow.
func Check(set *scripting.Set) []Finding { return CheckOn(set, nil, nil, time.Time{}) }

// CheckOn does the same for a set on a machine, with databases, at a time. Each
// is nil or zero when it is not known. Comments that allow findings about it are
// then taken for right.
func CheckOn(set *scripting.Set, m *Machine, databases *Databases, now time.Time) []Finding {
	c := newChecker(set)
	for _, d := range set.Engine.Doors {
		if !d.Listen && len(d.Sequence) > 0 { // else all its one-time sequences were consumed
			if !c.order(d) {
				c.sideBySide(d)
			}
			c.unwired(d)
			c.length(d)
			c.prefix(d)
		}
		c.sharedLimit(d)
		c.effect(d)
		c.windows(d, now)
		c.private(d)
		c.lists(d)
		c.left(d)
		if m != nil {
			c.on(m, d)
			c.translated(m, d)
		}
	}
	if m != nil {
		c.synCookies(m)
		c.families(m)
		c.commands(m)
	}
	c.shared()
	c.allows()
	c.ways()
	c.deadlocks()
	c.mistakes()
	c.denials()
	c.values()
	c.characters()
	c.warnings(m)
	if databases != nil {
		c.databases(databases)
	}
	return c.reported(m != nil, databases != nil, !now.IsZero())
}

// reported returns the findings in order, without the allowed ones. A comment
// without a reason is a finding itself, and so is a comment that allows
// nothing. machine, databases and date report whether these were looked at.
func (c *checker) reported(machine, databases, date bool) []Finding {
	meant, there := map[claim]bool{}, map[claim]bool{}
	for _, s := range c.set.Suppressions {
		meant[claim{s.ID, s.File, s.Target}] = true
	}
	for _, elsewhere := range c.elsewhere {
		there[elsewhere] = true
	}
	var report []Finding
	for _, f := range c.found {
		here := claim{f.ID, f.File, f.Line}
		there[here] = true
		if !meant[here] {
			report = append(report, f)
		}
	}
	for _, s := range c.set.Suppressions {
		// A command that runs here may be missing on the machine for which it is allowed.
		unknown := !machine && slices.Contains(ofMachine, s.ID) || s.ID == CommandMissing || !databases && s.ID == NoDatabase ||
			!date && s.ID == WindowOver
		report = append(report, comment(s, unknown || there[claim{s.ID, s.File, s.Target}])...)
	}
	slices.SortStableFunc(report, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
	return c.gathered(slices.Compact(report))
}

// comment returns the findings about a comment that allows one. there reports
// whether the allowed finding exists.
func comment(s source.Suppression, there bool) []Finding {
	var found []Finding
	add := func(id, message, hint string) {
		found = append(found, Finding{ID: id, File: s.File, Line: s.Line, Message: message, Hint: hint})
	}
	known := slices.Contains(allowed, s.ID)
	if !known {
		add(UnknownID, fmt.Sprintf("%q is the id of no finding", s.ID), "the ids are "+strings.Join(allowed, ", "))
	}
	switch {
	case s.Reason == "":
		add(NoReason, fmt.Sprintf("%q is allowed without a reason", s.ID), "say after the id why it is meant, for whoever reads this later")
	case known && !there:
		add(UnusedAllow, fmt.Sprintf("%q is allowed, and is not found on line %d", s.ID, s.Target),
			"remove the comment, or move it to the line that it is about, or the one above")
	}
	return found
}
