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

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// The ids of findings. They are stable: scripts name them.
const (
	Ascending   = "ascending"    // the ports go up, as a scan does
	Descending  = "descending"   // the ports go down, as a scan does
	Short       = "short"        // knocks on fewer than four ports
	Prefix      = "prefix"       // the sequence of another door opens this one too
	Unguarded   = "unguarded"    // a port is allowed that no door guards
	NoWayIn     = "no-way-in"    // no door opens a port that is guarded
	NoWayBack   = "no-way-back"  // every door to a port has a condition
	WindowNever = "window-never" // the conditions never hold together
	AnyPort     = "any-port"     // the port of an allow is computed
	NoLimit     = "no-limit"     // one knock, without a limit
	NoEffect    = "no-effect"    // a door that does nothing when it opens
	Listening   = "listening"    // a service of this machine listens on a port of a sequence
	Ephemeral   = "ephemeral"    // a port of a sequence is one of this machine's ephemeral ports
	Knockd      = "knockd"       // a line of a knockd.conf that probably means something else to its author
	UsedUp      = "used-up"      // a door whose one-time sequences were all consumed
	NoReason    = "no-reason"    // a comment that allows a finding without saying why
	UnknownID   = "unknown-id"   // a comment that allows an unknown id
	UnusedAllow = "unused-allow" // a comment that allows a finding that is not there
)

var allowed = []string{Ascending, Descending, Short, Prefix, Unguarded, NoWayIn, NoWayBack, WindowNever, AnyPort, NoLimit, NoEffect, Listening, Ephemeral, Knockd, UsedUp}

// A Finding is one rule to look at, with what may be wrong and how to change
// it.
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

// Check returns the findings of a set by file and line, without those that its
// comments allow.
func Check(set *scripting.Set) []Finding { return CheckOn(set, nil) }

// CheckOn does the same for a set on a machine, which is nil when it is not
// known. Comments that allow findings about the machine are then taken for
// right.
func CheckOn(set *scripting.Set, m *Machine) []Finding {
	c := newChecker(set)
	for _, d := range set.Engine.Doors {
		if !d.Listen && len(d.Sequence) > 0 { // else all its one-time sequences were consumed
			c.order(d)
			c.length(d)
			c.prefix(d)
		}
		c.effect(d)
		c.never(d)
		c.left(d)
		if m != nil {
			c.on(m, d)
		}
	}
	c.allows()
	c.ways()
	c.warnings(m)
	return c.reported(m != nil)
}

// A checker checks one set. Without its maps, the time would grow with the
// square of the number of doors.
type checker struct {
	set       *scripting.Set
	found     []Finding
	elsewhere []claim // findings that other machines have and this one has not
	byName    map[string]*engine.Door
	position  map[*engine.Door]int
	knocked   map[packet.Port][]*engine.Door // doors in order, without listeners, by each port of their sequences
	guarded   map[packet.Port]bool           // by any door
	crowds    map[crowd]int                  // the number of ports that disturb a crowd of doors
}

func newChecker(set *scripting.Set) *checker {
	c := &checker{
		set:      set,
		byName:   map[string]*engine.Door{},
		position: map[*engine.Door]int{},
		knocked:  map[packet.Port][]*engine.Door{},
		guarded:  map[packet.Port]bool{},
		crowds:   map[crowd]int{},
	}
	for i, d := range set.Engine.Doors {
		c.byName[d.Name], c.position[d] = d, i
		for _, port := range d.Guards {
			c.guarded[port] = true
		}
		if d.Listen {
			continue
		}
		for port := range ports(d) {
			c.knocked[port] = append(c.knocked[port], d)
		}
	}
	return c
}

// door adds a finding at the registration of a door.
func (c *checker) door(id string, d *engine.Door, message, hint string) {
	c.found = append(c.found, Finding{ID: id, File: d.File, Line: d.Line, Door: d.Name, Message: message, Hint: hint})
}

// A claim identifies a finding on a line, as a comment allows it.
type claim struct {
	id, file string
	line     int
}

// reported returns the findings in order, without the allowed ones. A comment
// without a reason is a finding itself, and so is a comment that allows
// nothing. machine tells whether a machine was looked at.
func (c *checker) reported(machine bool) []Finding {
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
		unknown := !machine && (s.ID == Listening || s.ID == Ephemeral)
		report = append(report, comment(s, unknown || there[claim{s.ID, s.File, s.Target}])...)
	}
	slices.SortStableFunc(report, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
	return c.gathered(slices.Compact(report))
}

// comment returns the findings about a comment that allows one. there tells
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
