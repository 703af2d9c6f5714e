package capture

import (
	"slices"

	"golang.org/x/sys/unix"
)

// kindVRF is the one kind of master whose ports receive IP packets themselves.
const kindVRF = "vrf"

// port reports whether IP receives what this interface hears on another one: on
// the bridge, bond, team or switch that it is a port of.
func (l *Links) port(link *Link) bool {
	if link.Master == 0 {
		return false
	}
	master := l.byIndex(link.Master)
	return master == nil || master.Kind != kindVRF
}

// selected reports whether an interface is one of those asked for, none
// meaning all. Who asks for a VRF means its ports.
func (l *Links) selected(link *Link, names []string) bool {
	if len(names) == 0 {
		return true
	}
	master := l.byIndex(link.Master)
	return slices.ContainsFunc(names, func(name string) bool {
		return link.called(name) || master != nil && master.Kind == kindVRF && master.called(name)
	})
}

// counting says of each interface whether a packet counts there. It is
// immutable. Where a packet does not count, it is dropped without a trace.
type counting struct {
	all    bool // also interfaces that we have not yet heard of
	counts map[int]bool
	taken  map[vlan]bool // tagged packets that a VLAN interface receives
}

type vlan struct {
	parent int
	tag    Tag
}

// newCounting returns what counts when these interfaces are asked for; none: all.
func newCounting(links *Links, names []string) *counting {
	c := &counting{all: len(names) == 0, counts: map[int]bool{}, taken: map[vlan]bool{}}
	if links == nil {
		return c
	}
	for i := range links.links {
		link := &links.links[i]
		c.counts[link.Index] = links.selected(link, names) && !links.port(link)
		if link.Parent != 0 {
			c.taken[vlan{link.Parent, link.VLAN}] = true
		}
	}
	return c
}

// packet reports whether this one counts.
func (c *counting) packet(a *arrival) bool {
	switch a.packetType {
	case unix.PACKET_HOST, unix.PACKET_BROADCAST, unix.PACKET_MULTICAST:
	default:
		return false // for another host, or our own on its way out
	}
	counts, known := c.counts[a.iface]
	if !known {
		counts = c.all
	}
	return counts && (a.tag.ID == 0 || !c.taken[vlan{a.iface, a.tag}])
}
