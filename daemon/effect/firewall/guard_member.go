package firewall

import (
	"bytes"
	"cmp"
	"encoding/binary"
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

// standIns are ports below 1024 that IANA has assigned to nobody, so no service has them. Rules of
// others that accept or refuse ranges treat them as they treat the ports of services.
var standIns = [][2]uint16{{225, 241}, {249, 255}, {272, 279}, {288, 307}, {326, 332}, {334, 343}, {703, 703}, {717, 728}, {803, 809}, {811, 827}, {834, 845}, {914, 952}}

// closedPort stands in for UDP ports, and for the TCP ports that find no stand-in of their own.
const closedPort = 4

// CommonStandIns are the ports of [closedPort].
var CommonStandIns = []packet.Port{{Proto: packet.TCP, Number: closedPort}, {Proto: packet.UDP, Number: closedPort}}

// closedMembers returns the members of the maps closed and asked and of the set stand_ins for
// these guarded ports. A port that is guarded or watched itself stands in for none.
func closedMembers(guarded, watched []packet.Port) (closed, asked, used []member) {
	var free []uint16
	for _, span := range standIns {
		for n := span[0]; n <= span[1]; n++ {
			p := packet.Port{Proto: packet.TCP, Number: n}
			if !slices.Contains(guarded, p) && !slices.Contains(watched, p) {
				free = append(free, n)
			}
		}
	}
	ports := slices.DeleteFunc(slices.Clone(guarded), func(p packet.Port) bool { return p.Proto != packet.TCP })
	slices.SortFunc(ports, comparePorts)
	var taken []packet.Port
	for i, p := range slices.Compact(ports) {
		if i >= len(free) {
			break
		}
		from, to := binary.BigEndian.AppendUint16(nil, p.Number), binary.BigEndian.AppendUint16(nil, free[i])
		closed = append(closed, member{key: from, value: to})
		asked = append(asked, member{key: to, value: from})
		taken = append(taken, packet.Port{Proto: packet.TCP, Number: free[i]})
	}
	return ordered(closed), ordered(asked), portMembers(taken)
}

// ordered sorts members by key, and drops duplicates. Of two with one key the boundary of
// a network comes before the beginning of the next.
func ordered(members []member) []member {
	slices.SortFunc(members, compareMembers)
	return slices.CompactFunc(members, func(a, b member) bool { return compareMembers(a, b) == 0 })
}

func compareMembers(a, b member) int {
	if c := cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.value, b.value)); c != 0 || a.boundary == b.boundary {
		return c
	}
	if a.boundary {
		return -1
	}
	return 1
}
