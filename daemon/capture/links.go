package capture

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// A Link is one network interface.
type Link struct {
	Index int
	Name  string
	// Others are the names beside Name that it goes by.
	Others []string
	// Up says that somebody switched it on, and Carrier that there is something
	// at its other end.
	Up, Carrier bool
	// Kind is the kernel's word for a made interface, like "bridge" or "vlan";
	// empty for hardware and the loopback.
	Kind string
	// Master is the index of the bridge, bond, VRF or other interface that it is
	// a port of; 0: none.
	Master int
	// Parent is the index of the link that a VLAN interface is on; 0: that link is
	// in another network namespace or this is no VLAN interface.
	Parent int
	VLAN   Tag
}

func (l Link) equal(m Link) bool {
	return l.Index == m.Index && l.Name == m.Name && l.Up == m.Up && l.Carrier == m.Carrier && l.Kind == m.Kind &&
		l.Master == m.Master && l.Parent == m.Parent && l.VLAN == m.VLAN && slices.Equal(l.Others, m.Others)
}

func (l Link) called(name string) bool { return l.Name == name || slices.Contains(l.Others, name) }

// Links are the network interfaces and the addresses of this host at one moment.
// They are immutable.
type Links struct {
	links     []Link
	addresses []netip.Prefix
}

// loopback is this host's whatever the interfaces say.
var loopback = netip.MustParsePrefix("127.0.0.0/8")

// NewLinks returns the snapshot that holds these, in any order.
func NewLinks(links []Link, addresses []netip.Prefix) *Links {
	links = slices.SortedFunc(slices.Values(links), func(a, b Link) int { return cmp.Compare(a.Index, b.Index) })
	all := []netip.Prefix{loopback}
	for _, p := range addresses {
		if p = netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked(); p.IsValid() {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return &Links{links, slices.Compact(all)}
}

// Addresses returns the addresses at which this host receives packets, sorted:
// those of its interfaces, each as a prefix of one address, and what else the
// kernel's local routing table holds, such as 127.0.0.0/8. They have no zone.
func (l *Links) Addresses() []netip.Prefix { return slices.Clone(l.addresses) }

// Name returns the name of the interface with this index; empty: there is none.
func (l *Links) Name(index int) string {
	if link := l.byIndex(index); link != nil {
		return link.Name
	}
	return ""
}

// Captured returns the names of the interfaces on which packets count when these
// are asked for, none meaning all, and in words why each other that was asked for
// is not heard now. When nothing is heard, nobody can knock.
func (l *Links) Captured(names []string) (heard, missing []string) {
	for i := range l.links {
		if link := &l.links[i]; l.selected(link, names) && l.silence(link) == "" {
			heard = append(heard, link.Name)
		}
	}
	for _, name := range names {
		if why := l.absence(name, heard); why != "" {
			missing = append(missing, name+" "+why)
		}
	}
	return heard, missing
}

// absence says why an interface that was asked for is not heard; empty: it is.
func (l *Links) absence(name string, heard []string) string {
	i := slices.IndexFunc(l.links, func(link Link) bool { return link.called(name) })
	if i < 0 {
		return "does not exist"
	}
	link := &l.links[i]
	if link.Kind == kindVRF && !slices.ContainsFunc(l.links, func(port Link) bool {
		return port.Master == link.Index && slices.Contains(heard, port.Name)
	}) {
		return "has no port that is up"
	}
	return l.silence(link)
}

// silence says why an interface is not heard, whoever asks for it.
func (l *Links) silence(link *Link) string {
	switch {
	case !link.Up:
		return "is down"
	case !link.Carrier:
		return "has no carrier"
	case l.port(link):
		return fmt.Sprintf("is a port of %s, where its packets count", cmp.Or(l.Name(link.Master), "another interface"))
	}
	return ""
}

func (l *Links) byIndex(index int) *Link {
	i, found := slices.BinarySearchFunc(l.links, index, func(link Link, index int) int { return cmp.Compare(link.Index, index) })
	if !found {
		return nil
	}
	return &l.links[i]
}

func (l *Links) equal(m *Links) bool {
	return slices.EqualFunc(l.links, m.links, Link.equal) && slices.Equal(l.addresses, m.addresses)
}
