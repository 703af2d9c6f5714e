package lint

import (
	"net/netip"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

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
	matched   map[match][]*engine.Door       // the doors of groups that get the same packets
	crowds    map[crowd][]int                // the ports that disturb a crowd of doors, sorted
	inForce   []engine.Knock                 // see pool
	wires     map[class][]int                // see wiresOf
	strange   int                            // findings about characters
}

func newChecker(set *scripting.Set) *checker {
	c := &checker{
		set:      set,
		byName:   map[string]*engine.Door{},
		position: map[*engine.Door]int{},
		knocked:  map[packet.Port][]*engine.Door{},
		guarded:  map[packet.Port]bool{},
		matched:  map[match][]*engine.Door{},
		crowds:   map[crowd][]int{},
		wires:    map[class][]int{},
	}
	for i, d := range set.Engine.Doors {
		c.byName[d.Name], c.position[d] = d, i
		for _, port := range d.Guards {
			c.guarded[port] = true
		}
		if d.Policy == engine.PolicyKnockd {
			c.matched[match{d.Group, d.Target}] = append(c.matched[match{d.Group, d.Target}], d)
		}
		for port := range ports(d) {
			if !d.Listen {
				c.knocked[port] = append(c.knocked[port], d)
			}
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

// A match identifies doors that belong to one group and get the same packets: see [together].
type match struct {
	group  string
	target netip.Addr
}

// A crowd identifies the doors of a group that a scan meets in the same way:
// the same ports disturb them.
type crowd struct {
	group    string
	target   netip.Addr
	flags    engine.FlagTest
	protocol packet.Proto
}

// ports returns the different ports of a sequence.
func ports(d *engine.Door) map[packet.Port]bool {
	ports := map[packet.Port]bool{}
	for _, knock := range d.Sequence {
		ports[knock.Port] = true
	}
	return ports
}
