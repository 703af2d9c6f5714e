package engine

import (
	"slices"
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

// registerKnock makes a door of the group known at the port of one of its knocks.
func (g *group) registerKnock(here *portDoors, d *door, k Knock, begins bool) {
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
