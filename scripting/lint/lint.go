// Package lint turns a script set that loads into findings: what is allowed,
// and yet is likely not what its author wants.
//
// A finding has a stable id. Where it is meant, a comment on its line or the
// line above says so, with the reason:
//
//	-- sesame:allow short only reachable from the office
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// The ids of findings. They are stable: scripts name them.
const (
	Ascending   = "ascending"    // the ports go up, as a scan does
	Descending  = "descending"   // the ports go down, as a scan does
	Short       = "short"        // fewer than four knocks
	Prefix      = "prefix"       // the beginning of another door's sequence
	Unguarded   = "unguarded"    // a port is allowed that no door guards
	NoWayBack   = "no-way-back"  // every door to a port hangs on a condition
	WindowNever = "window-never" // the conditions never hold together
	AnyPort     = "any-port"     // the port of an allow is computed
	NoLimit     = "no-limit"     // one knock, as often as anybody likes
	NoEffect    = "no-effect"    // a door to nothing
	NoReason    = "no-reason"    // a comment that allows a finding without saying why
	UnknownID   = "unknown-id"   // a comment that allows what is no finding
)

var allowed = []string{Ascending, Descending, Short, Prefix, Unguarded, NoWayBack, WindowNever, AnyPort, NoLimit, NoEffect}

// A Finding is one thing to look at.
type Finding struct {
	ID      string `json:"id"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Door    string `json:"door,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// String returns "ssh.lua:3: ascending: ...", without the hint.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.ID, f.Message)
}

// Check returns what is to be found in a set, by file and line, without what
// its comments allow.
func Check(set *scripting.Set) []Finding {
	c := &checker{set: set}
	for _, d := range set.Engine.Doors {
		c.order(d)
		c.length(d)
		c.prefix(d)
		c.effect(d)
		c.never(d)
	}
	c.allows()
	c.ways()
	return c.reported()
}

type checker struct {
	set   *scripting.Set
	found []Finding
}

// door adds a finding at the registration of a door.
func (c *checker) door(id string, d *engine.Door, message, hint string) {
	c.found = append(c.found, Finding{ID: id, File: d.Script, Line: d.Line, Door: d.Name, Message: message, Hint: hint})
}

// reported returns the findings in order, less the allowed ones. To allow one
// without a reason is a finding instead.
func (c *checker) reported() []Finding {
	var report []Finding
	for _, f := range c.found {
		if !slices.ContainsFunc(c.set.Suppressions, func(s scripting.Suppression) bool { return excuses(s, f) }) {
			report = append(report, f)
		}
	}
	for _, s := range c.set.Suppressions {
		if !slices.Contains(allowed, s.ID) {
			report = append(report, Finding{ID: UnknownID, File: s.File, Line: s.Line,
				Message: fmt.Sprintf("%q is the id of no finding", s.ID),
				Hint:    "the ids are " + strings.Join(allowed, ", ")})
		}
		if s.Reason == "" {
			report = append(report, Finding{ID: NoReason, File: s.File, Line: s.Line,
				Message: fmt.Sprintf("%q is allowed without a reason", s.ID),
				Hint:    "say after the id why it is meant, for whoever reads this later"})
		}
	}
	slices.SortStableFunc(report, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(report)
}

// excuses reports whether a comment is about a finding.
func excuses(s scripting.Suppression, f Finding) bool {
	return s.ID == f.ID && s.File == f.File && s.Target == f.Line
}
