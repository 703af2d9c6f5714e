package capture

import (
	"slices"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// kindVRF is the only kind of master whose ports receive IP packets themselves. For all others,
// such as bridges and bonds, IP receives the packet on the master.
const kindVRF = "vrf"

// isPort reports whether IP receives the packets of an interface on another interface: the bridge,
// bond, team or switch that it is a port of.
func (l *Links) isPort(link *Link) bool {
	if link.Master == 0 {
		return false
	}
	master := l.byIndex(link.Master)
	return master == nil || master.Kind != kindVRF
}

// selected reports whether an interface is among the names, or names is empty. The name of a VRF
// selects its ports too.
func (l *Links) selected(link *Link, names []string) bool {
	if len(names) == 0 {
		return true
	}
	master := l.byIndex(link.Master)
	return slices.ContainsFunc(names, func(name string) bool {
		return link.hasName(name) || master != nil && master.Kind == kindVRF && master.hasName(name)
	})
}

// counting holds on which interfaces packets count. It is immutable. A packet that does not count
// is neither returned nor included in any number.
type counting struct {
	all    bool          // also on interfaces that are newer than the snapshot
	known  bool          // there is a snapshot
	counts map[int]bool  // by interface index
	tagged map[vlan]bool // VLANs with an interface of their own, which receives their packets
}

type vlan struct {
	parent int
	tag    Tag
}

// newCounting returns the counting for interfaces with these names, or for all if names is empty.
func newCounting(links *Links, names []string) *counting {
	c := &counting{all: len(names) == 0, counts: map[int]bool{}, tagged: map[vlan]bool{}}
	if links == nil {
		return c
	}
	c.known = true
	for i := range links.links {
		link := &links.links[i]
		c.counts[link.Index] = links.selected(link, names) && !links.isPort(link)
		if link.Parent != 0 {
			c.tagged[vlan{link.Parent, link.VLAN}] = true
		}
	}
	return c
}

// packet reports whether a packet counts.
func (c *counting) packet(a *arrival) bool {
	switch a.packetType {
	case unix.PACKET_HOST, unix.PACKET_BROADCAST, unix.PACKET_MULTICAST:
	default:
		return false // for another host of the link, or sent by this host
	}
	counts, known := c.counts[a.iface]
	if !known {
		counts = c.all
	}
	return counts && (a.tag.ID == 0 || !c.tagged[vlan{a.iface, a.tag}])
}

// The kernel hands a packet to the VLAN interface of its tag, and stops there if there is none. A
// tag with ID 0 is only a priority: the kernel takes it off, and goes on with the tag behind it. It
// does not know tags of the type 0x9100, and gives their packets to nobody.

// elsewhere reports whether a packet comes again on a VLAN interface, for a tag behind a priority.
// [counting.packet] has done so for the outer tag.
func (c *counting) elsewhere(a *arrival) bool {
	return a.tag != (Tag{}) && a.tag.ID == 0 && a.inner != 0 &&
		(c.tagged[vlan{a.iface, Tag{packet.EtherTypeVLAN, a.inner}}] || c.tagged[vlan{a.iface, Tag{packet.EtherTypeQinQ, a.inner}}])
}

// stray reports whether a packet that counts is in a VLAN that this host has no interface for.
// Without a snapshot that is not known.
func (c *counting) stray(a *arrival) bool {
	switch {
	case !c.known:
		return false
	case a.tag == (Tag{}):
		return a.left
	}
	return a.tag.ID != 0 || a.inner != 0
}
