package engine

import (
	"cmp"
	"slices"

	"sesame/daemon/packet"
)

// A group is the doors of PolicyKnockd that are matched together. The attempts
// of a source in any of them have one key, so one look finds them all.
type group struct {
	id       uint32
	order    int // of its first door
	live     int // attempts in progress in its doors, of all sources
	ports    []*groupPort
	inactive []*groupPort // ports that it is not at
}

// A groupPort is a group at a port that some of its doors have. Where none
// begins with it, the group is there only while somebody has an attempt in it.
// All its ports wake at once, and each falls asleep when a packet finds that it
// could: so no packet pays for more than one port, whatever number there is.
type groupPort struct {
	*group
	here  *portDoors
	tests []FlagTest // of its doors at the port, each once
	first []*door    // that begin with it, in order
}

// progress is an attempt in a door of a group.
type progress struct {
	door *door
	slot int32
}

// groupOf returns the group of that name, whose next door is at order. It keeps
// the id that it had in old.
func (x *index) groupOf(name string, order int, old *index) *group {
	g := x.groups[name]
	if g != nil {
		return g
	}
	g = &group{order: order}
	if old != nil && old.groups[name] != nil {
		g.id = old.groups[name].id
	} else {
		g.id = x.newID()
	}
	x.groups[name] = g
	return g
}

// listen makes a door of the group known at the port of one of its knocks.
func (g *group) listen(here *portDoors, d *door, k Knock, begins bool) {
	i, known := here.find(g)
	if !known {
		at := &groupPort{group: g, here: here}
		g.ports = append(g.ports, at)
		here.groups = slices.Insert(here.groups, i, at)
	}
	at := here.groups[i]
	if !slices.Contains(at.tests, k.Flags) {
		at.tests = append(at.tests, k.Flags)
	}
	if begins {
		at.first = append(at.first, d)
	}
}

// find returns where g is among the groups at a port, or would be.
func (h *portDoors) find(g *group) (int, bool) {
	return slices.BinarySearchFunc(h.groups, g.order, func(at *groupPort, order int) int { return at.order - order })
}

// countLive counts attempts that begin, or end when by is negative.
func (g *group) countLive(by int) {
	was := g.live
	if g.live += by; was > 0 || g.live == 0 {
		return
	}
	for _, at := range g.inactive {
		i, _ := at.here.find(g)
		at.here.groups = slices.Insert(at.here.groups, i, at)
	}
	g.inactive = g.inactive[:0]
}

// idle reports whether no packet to the port can mean anything to the group.
func (at *groupPort) idle() bool { return at.live == 0 && len(at.first) == 0 }

// deactivate takes a group away from a port.
func (at *groupPort) deactivate() {
	i, _ := at.here.find(at.group)
	at.here.groups = slices.Delete(at.here.groups, i, i+1)
	at.inactive = append(at.inactive, at)
}

// deactivateIdle lets all groups sleep where they can.
func (x *index) deactivateIdle() {
	for _, g := range x.groups {
		g.inactive = make([]*groupPort, 0, len(g.ports))
		for _, at := range g.ports {
			if at.idle() {
				at.deactivate()
			}
		}
	}
}

// offerGroups hands a packet to those of the groups, which are in order, that
// act before the door at a position. It returns the others.
func (e *Engine) offerGroups(groups []*groupPort, before int, p *packet.Packet) []*groupPort {
	for len(groups) > 0 && groups[0].order < before {
		n := 1
		if len(groups) > 1 && groups[1].group == groups[0].group {
			n = 2 // its doors that have this target, and those that have none
		}
		e.offerGroup(groups[:n], p)
		groups = groups[n:]
	}
	return groups
}

// offerGroup hands a packet to the doors of a group. One that finds an attempt
// of its source begins none, whatever becomes of what it finds.
func (e *Engine) offerGroup(ports []*groupPort, p *packet.Packet) {
	counts := false
	for _, at := range ports {
		if at.idle() {
			at.deactivate()
		} else {
			counts = counts || holdsAny(at.tests, p)
		}
	}
	if !counts || e.advanceInGroup(ports[0].group, p) {
		return
	}
	e.begins = e.begins[:0]
	for _, at := range ports {
		e.begins = append(e.begins, at.first...)
	}
	if len(ports) > 1 {
		slices.SortFunc(e.begins, func(a, b *door) int { return a.order - b.order })
	}
	for _, d := range e.begins {
		if d.Sequence[0].Holds(p) {
			e.beginInGroup(d, p)
		}
	}
}

// advanceInGroup offers a packet to the attempts of its source in a group, in the order
// of their doors, and reports whether there are any.
func (e *Engine) advanceInGroup(g *group, p *packet.Packet) bool {
	e.findAll(g, p)
	for _, f := range e.found {
		e.applyGroupRules(f.door, f.slot, p)
	}
	return len(e.found) > 0
}

// findAll puts the attempts of a packet's source that are not over, in doors
// that accept its destination, into e.found.
func (e *Engine) findAll(g *group, p *packet.Packet) {
	e.found = e.found[:0]
	if g.live == 0 {
		return
	}
	for slot := range e.attempts.all(attemptKey{p.Source.As16(), g.id}) {
		if d := e.index.byID[e.attempts.slots.at(slot).door]; d != nil && d.Accepts(p.Dest, e.ours) {
			e.found = append(e.found, progress{d, slot})
		}
	}
	slices.SortFunc(e.found, func(a, b progress) int { return cmp.Compare(a.door.order, b.door.order) })
	e.found = slices.DeleteFunc(e.found, func(f progress) bool {
		over := e.expired(f.slot, f.door)
		if over {
			e.forget(f.slot, f.door)
		}
		return over
	})
}

// applyGroupRules applies the rules of a group to an attempt: a packet with other flags
// than the door asks for, or a retransmit, is nothing to it; any other but the
// expected knock ends it.
func (e *Engine) applyGroupRules(d *door, slot int32, p *packet.Packet) {
	h := e.hitOf(p)
	switch {
	case p.Port.Proto == packet.TCP && !d.Flags.Holds(p.Flags), e.resent(slot, d, h):
	case d.Sequence[e.stage(slot)].Holds(p):
		e.advance(d, slot, h)
	case d.wants(p):
		e.endAttempt(d, slot, OutOfOrder, nil)
	default:
		e.endAttempt(d, slot, WrongPort, nil)
	}
}

// beginInGroup counts the first knock of a door of a group. Where no time is allowed,
// the attempt is over as soon as it was told.
func (e *Engine) beginInGroup(d *door, p *packet.Packet) {
	switch {
	case len(d.Sequence) == 1:
		e.completeSequence(d)
	case d.Within <= 0:
		e.counts.Misses++
		e.reachStage(d, p.Source, 1)
	default:
		e.beginAttempt(d, attemptKey{p.Source.As16(), d.key}, e.hitOf(p))
	}
}
