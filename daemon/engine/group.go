package engine

import (
	"slices"
)

// A group holds doors of PolicyKnockd that are matched together. The attempts of a source in
// any of them have one key, so one lookup finds them all.
type group struct {
	id       uint32
	order    int // of its first door
	live     int // attempts in progress in its doors, of all sources
	ports    []*groupPort
	inactive []*groupPort // ports from which it is removed until it has attempts
}

// A groupPort is a group at a port that some of its doors have.
//
// If no door begins with the port, the group is listed there only while it has attempts. When
// the first attempt begins, all its ports become active at once. When the last one ends,
// nothing happens: a packet that finds the port idle deactivates that port alone. So no packet
// pays for more than one port, however many the group has.
type groupPort struct {
	*group
	here  *portDoors
	tests []FlagTest // of its doors at the port, each once
	first []*door    // whose sequence begins with it, in order
}

// groupOf returns the group of that name. For its first door, at position order, it makes the
// group, with the id that the group had in old.
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

// registerKnock adds the port of one of a door's knocks. begins means that it is the first.
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

// find returns where g is among the groups at a port, or where it would be.
func (h *portDoors) find(g *group) (int, bool) {
	return slices.BinarySearchFunc(h.groups, g.order, func(at *groupPort, order int) int { return at.order - order })
}

// countLive adds to the number of attempts. The first one activates the ports that were
// deactivated.
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

// deactivate removes the group from the port until it has attempts again.
func (at *groupPort) deactivate() {
	i, _ := at.here.find(at.group)
	at.here.groups = slices.Delete(at.here.groups, i, i+1)
	at.inactive = append(at.inactive, at)
}

// deactivateIdle deactivates all groups where they are idle.
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
