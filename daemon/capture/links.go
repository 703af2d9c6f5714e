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
	// Others are its alternative names (ip link property add ... altname).
	Others []string
	// Up is IFF_UP: the interface is switched on. Carrier is IFF_LOWER_UP: it has a link to its
	// other end.
	Up, Carrier bool
	// Kind is the kernel's name for a kind of virtual interface, such as "bridge" or "vlan". It is
	// empty for hardware and the loopback.
	Kind string
	// Master is the index of the bridge, bond, VRF or other interface that it is a port of; 0:
	// none.
	Master int
	// Parent is the index of the link below a VLAN interface. 0: this is no VLAN interface, or the
	// link is in another network namespace.
	Parent int
	VLAN   Tag
}

func (l Link) equal(m Link) bool {
	return l.Index == m.Index && l.Name == m.Name && l.Up == m.Up && l.Carrier == m.Carrier && l.Kind == m.Kind &&
		l.Master == m.Master && l.Parent == m.Parent && l.VLAN == m.VLAN && slices.Equal(l.Others, m.Others)
}

func (l Link) hasName(name string) bool { return l.Name == name || slices.Contains(l.Others, name) }

// Links is a snapshot of the network interfaces and the addresses of this host. It is immutable.
type Links struct {
	links      []Link
	addresses  []netip.Prefix
	broadcasts []netip.Prefix // of the networks of this host, sorted
}

// Names returns the names of the interfaces by their indexes.
func (l *Links) Names() map[uint32]string {
	names := map[uint32]string{}
	for _, link := range l.links {
		names[uint32(link.Index)] = link.Name
	}
	return names
}

// loopback always belongs to this host, even if no interface has it.
var loopback = netip.MustParsePrefix("127.0.0.0/8")

// NewLinks returns a snapshot of the links and addresses, which may be in any order.
func NewLinks(links []Link, addresses []netip.Prefix) *Links {
	links = slices.SortedFunc(slices.Values(links), func(a, b Link) int { return cmp.Compare(a.Index, b.Index) })
	all := []netip.Prefix{loopback}
	for _, p := range addresses {
		if p = netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked(); p.IsValid() {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return &Links{links: links, addresses: slices.Compact(all)}
}

// Addresses returns the addresses at which this host receives packets, sorted and without zones:
// those of its interfaces, each as a prefix of one address, and the other entries of the kernel's
// local routing table, such as 127.0.0.0/8.
func (l *Links) Addresses() []netip.Prefix { return slices.Clone(l.addresses) }

// Own returns the addresses that no packet from outside can have as its source: the addresses of
// this host, and the broadcast addresses of its networks.
func (l *Links) Own() []netip.Prefix { return slices.Concat(l.addresses, l.broadcasts) }

// Name returns the name of the interface with an index, or "" if there is none.
func (l *Links) Name(index int) string {
	if link := l.byIndex(index); link != nil {
		return link.Name
	}
	return ""
}

// Captured returns the interfaces on which packets count when names are configured, where no names
// mean all interfaces. Missing has a sentence for each name that is not captured now, such as "eth0
// is down". When no interface is captured, nobody can knock.
func (l *Links) Captured(names []string) (captured, missing []string) {
	for i := range l.links {
		if link := &l.links[i]; l.selected(link, names) && l.inactive(link) == "" {
			captured = append(captured, link.Name)
		}
	}
	for _, name := range names {
		if why := l.missing(name, captured); why != "" {
			missing = append(missing, name+" "+why)
		}
	}
	return captured, missing
}

// missing returns why a configured interface is not captured, or "" if it is.
func (l *Links) missing(name string, captured []string) string {
	i := slices.IndexFunc(l.links, func(link Link) bool { return link.hasName(name) })
	if i < 0 {
		return "does not exist"
	}
	link := &l.links[i]
	if link.Kind == kindVRF && !slices.ContainsFunc(l.links, func(port Link) bool {
		return port.Master == link.Index && slices.Contains(captured, port.Name)
	}) {
		return "has no port that is up"
	}
	return l.inactive(link)
}

// inactive returns why no packet can count on an interface, or "" if packets can.
func (l *Links) inactive(link *Link) string {
	switch {
	case !link.Up:
		return "is down"
	case !link.Carrier:
		return "has no carrier"
	case l.isPort(link):
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
	return slices.EqualFunc(l.links, m.links, Link.equal) && slices.Equal(l.addresses, m.addresses) &&
		slices.Equal(l.broadcasts, m.broadcasts)
}
