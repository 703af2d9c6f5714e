package knockd

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/packet"
)

// A conversion is what becomes of a door when sesame import knockd --native replaces its commands.
// A door that opens ports gets them as guards. A door that only takes back what others open ends
// their grants. Any other door keeps its commands.
type conversion struct {
	guards  []packet.Port
	ttl     string   // of the grants, as a script has it
	remark  string   // why ttl is not the cmd_timeout of the file, or ""
	endless bool     // knockd never closes it by itself
	closes  []string // doors whose grants it ends
	notes   []string // sentences for comments in the script
	why     string   // why the commands stay; "" for a door without commands too
}

// converted reports whether the door needs no commands any more.
func (n *conversion) converted() bool { return n.guards != nil || n.closes != nil }

// forever is the ttl of a door that knockd never closes by itself. A grant always ends.
const forever = "1h"

// conversions returns what becomes of each door, in the order of the doors. Doors that close are
// looked at last, when it is known which ports the others open.
func (f *File) conversions() []conversion {
	all := make([]conversion, len(f.Doors))
	closers := map[int]change{}
	for i := range f.Doors {
		d := &f.Doors[i]
		if d.Unreachable || d.action(ipv4).start == "" && d.action(ipv6).start == "" {
			continue
		}
		if start, opens := d.opener(&all[i]); !opens && all[i].why == "" {
			closers[i] = start
		}
	}
	openers := map[string][]string{}
	for i := range all {
		if n := &all[i]; n.guards != nil {
			openers[portSet(n.guards)] = append(openers[portSet(n.guards)], f.Doors[i].Name)
		}
	}
	for i, start := range closers {
		n := &all[i]
		n.closes = openers[portSet(start.ports)]
		if n.notes = start.notes; n.closes == nil {
			n.why = "it takes back what no door here gives"
		}
	}
	return all
}

// opener reads the commands of a door. For a door that opens ports it completes n and returns true.
// For a door that closes ports it returns the change. When the commands must stay, n.why is the
// reason.
func (d *Door) opener(n *conversion) (start change, opens bool) {
	start, n.why = d.change(func(a action) string { return a.start })
	if n.why != "" {
		return start, false
	}
	hasStop := d.action(ipv4).stop != "" || d.action(ipv6).stop != ""
	if !hasStop {
		if !start.removes {
			n.guard(start, 0)
		}
		return start, !start.removes
	}
	stop, why := d.change(func(a action) string { return a.stop })
	switch {
	case why != "":
		n.why = "of its stop command, " + why
	case start.removes:
		n.why = "it shuts first, and opens afterwards"
	case !stop.removes || portSet(start.ports) != portSet(stop.ports):
		n.why = "its stop command does not take back what its start command does"
	case d.CommandTimeout <= 0:
		n.why = "it stops as soon as it has started"
	default:
		n.guard(start, d.CommandTimeout)
	}
	return start, true
}

// guard completes the conversion of a door that opens ports. stop is the number of seconds until
// knockd runs the stop command, 0 for none.
func (n *conversion) guard(start change, stop int) {
	n.guards, n.notes = start.ports, start.notes
	switch {
	case start.timeout > 0 && (stop == 0 || start.timeout < stop):
		n.ttl, n.remark = seconds(start.timeout), "the timeout of its command"
	case stop > 0:
		n.ttl = seconds(stop)
	default:
		n.ttl, n.remark, n.endless = forever, "knockd never shut it by itself", true
	}
}

// EndingGuards returns a warning for each door that knockd leaves open and that closes after some
// time as a guard, which [ScriptOptions] can make of it.
func (f *File) EndingGuards() (ends []Warning) {
	for i, n := range f.conversions() {
		if d := &f.Doors[i]; n.endless {
			ends = append(ends, Warning{Line: d.action(ipv4).line, Door: d.Name, Text: fmt.Sprintf("knockd never shuts by itself what this opens, "+
				"and a guard of Sesame ends, here after %s: write another ttl in the script if that is too soon", forever)})
		}
	}
	return ends
}

// change reads a command of a door, which must do the same for both families. The problem is the
// second result, or "".
func (d *Door) change(command func(action) string) (change, string) {
	four, six := command(d.action(ipv4)), command(d.action(ipv6))
	if four == "" || six == "" {
		return change{}, "it is for one kind of address, and a guard is for IPv4 and IPv6"
	}
	c, why := readCommand(four)
	if why != "" || four == six {
		return c, why
	}
	other, why := readCommand(six)
	if why == "" && (c.removes != other.removes || c.timeout != other.timeout || portSet(c.ports) != portSet(other.ports)) {
		why = "it does something else for IPv6 than for IPv4"
	}
	for _, note := range other.notes {
		c.note("%s", note)
	}
	return c, why
}

// portSet returns a text that is the same for the same ports in any order. A change has each port
// once.
func portSet(all []packet.Port) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
}
