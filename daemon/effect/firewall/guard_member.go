package firewall

import (
	"bytes"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// portMembers returns ports as members of a set, sorted.
func portMembers(ports []packet.Port) []member {
	var members []member
	for _, p := range ports {
		if number := protocolNumber(p.Proto); number != 0 && p.Number != 0 {
			members = append(members, member{key: []byte{number, 0, 0, 0, byte(p.Number >> 8), byte(p.Number), 0, 0}})
		}
	}
	return ordered(members)
}

// networkMembers returns the networks of one family as members of a set, sorted.
func networkMembers(networks []netip.Prefix, v6 bool) []member {
	s := sourceSet{v6: v6, layout: sourceAlone, interval: true}
	var members []member
	for _, n := range networks {
		if n.IsValid() && n.Addr().Is6() == v6 {
			members = append(members, s.key(place{source: n})...)
		}
	}
	members = ordered(members)
	// Where one network ends and the next begins, the boundary is left out: the kernel
	// would take the two members with one key for an overlap.
	joined := members[:0]
	for _, m := range members {
		if n := len(joined); n > 0 && !m.boundary && joined[n-1].boundary && bytes.Equal(joined[n-1].key, m.key) {
			joined = joined[:n-1]
			continue
		}
		joined = append(joined, m)
	}
	return joined
}

// interfaceMembers returns names of interfaces as members of a set, sorted. A key is as
// long as a name may be, IFNAMSIZ, with zeros at its end.
func interfaceMembers(names []string) []member {
	var members []member
	for _, name := range names {
		key := make([]byte, unix.IFNAMSIZ)
		copy(key[:unix.IFNAMSIZ-1], name)
		members = append(members, member{key: key})
	}
	return ordered(members)
}

// ordered sorts members by key, and drops duplicates. Of two with one key the boundary of
// a network comes before the beginning of the next.
func ordered(members []member) []member {
	slices.SortFunc(members, compareMembers)
	return slices.CompactFunc(members, func(a, b member) bool { return compareMembers(a, b) == 0 })
}

func compareMembers(a, b member) int {
	if c := bytes.Compare(a.key, b.key); c != 0 || a.boundary == b.boundary {
		return c
	}
	if a.boundary {
		return -1
	}
	return 1
}
