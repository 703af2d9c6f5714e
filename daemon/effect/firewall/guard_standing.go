package firewall

import (
	"encoding/binary"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// Flows from before the guard have no room for a label: the kernel makes it with a connection,
// when some rule needs labels. A bit of their conntrack mark would be copied to the packet mark by
// CONNMARK rules of others, and change what these match. So the flows are listed in a set of ours.

// Numbers of nfnetlink_conntrack.h that the unix package lacks.
const (
	ctGet          = 1 // IPCTNL_MSG_CT_GET
	ctOriginal     = 1 // CTA_TUPLE_ORIG
	ctReply        = 2 // CTA_TUPLE_REPLY
	ctStatus       = 3 // CTA_STATUS
	ctTupleIP      = 1 // CTA_TUPLE_IP
	ctTupleProto   = 2 // CTA_TUPLE_PROTO
	ctIPv4Source   = 1 // CTA_IP_V4_SRC; the destination is the next
	ctIPv6Source   = 3 // CTA_IP_V6_SRC
	ctProto        = 1 // CTA_PROTO_NUM
	ctSourcePort   = 2 // CTA_PROTO_SRC_PORT; the destination is the next
	ctStatusReply  = 2 // IPS_SEEN_REPLY: packets have come in both directions
	ctSubsystem    = unix.NFNL_SUBSYS_CTNETLINK
	portKeyPadding = 2 // each field of a key takes four bytes
)

// standing holds the flows that were established when a port was guarded first, and the ports that
// this guard has guarded since then. When another program has removed the table, flows that began
// in the meantime do not count.
type standing struct {
	ports []packet.Port
	flows map[string][]member // of each set
}

// firstGuarded returns the UDP ports that are guarded from now on.
func (s standing) firstGuarded(found guardFound, guards effect.Guards) []packet.Port {
	already := portsOf(found.members["guarded"])
	return slices.DeleteFunc(slices.Clone(guards.Drop), func(p packet.Port) bool {
		return p.Proto != packet.UDP || slices.Contains(already, p) || slices.Contains(s.ports, p)
	})
}

// with returns what is standing when these guards are installed, and messages that add it to the
// sets that were found.
func (s standing) with(from *socket, found guardFound, guards effect.Guards) (standing, []message) {
	next := standing{flows: map[string][]member{}}
	for _, p := range slices.Concat(s.ports, guards.Drop) {
		if p.Proto == packet.UDP && !slices.Contains(next.ports, p) {
			next.ports = append(next.ports, p)
		}
	}
	fresh := from.flows(s.firstGuarded(found, guards))
	var batch []message
	for _, of := range standingSets {
		next.flows[of.name] = slices.Concat(s.flows[of.name], fresh[of.name])
		missing := fresh[of.name]
		if !slices.ContainsFunc(found.sets, func(f setFound) bool { return f.name == of.name }) {
			missing = next.flows[of.name]
		}
		batch = append(batch, guardTable.change(unix.NFT_MSG_NEWSETELEM, of.name, ordered(slices.Clone(missing)))...)
	}
	return next, batch
}

// flows returns the established UDP flows to these ports as members of the sets of standing flows;
// [maxStanding] at most. It returns none where the kernel cannot list them, without
// nf_conntrack_netlink.
func (s *socket) flows(ports []packet.Port) map[string][]member {
	found := map[string][]member{}
	if len(ports) == 0 {
		return found
	}
	count := 0
	question := message{subsystem: ctSubsystem, kind: ctGet, flags: unix.NLM_F_DUMP, what: "flows"}
	// What was read until an error counts.
	_ = s.query(question, func(r reply) {
		if count >= maxStanding || r.number(ctStatus)&ctStatusReply == 0 {
			return
		}
		// A packet is looked at before its destination is translated, and after that.
		before, after := tupleOf(r.attributes, ctOriginal), tupleOf(r.attributes, ctReply).inverse()
		for _, t := range []tuple{before, after} {
			if t.protocol == unix.IPPROTO_UDP && t.valid() && slices.Contains(ports, packet.Port{Proto: packet.UDP, Number: t.destinationPort}) {
				count++
				found[t.set()] = append(found[t.set()], member{key: t.key()})
			}
		}
	})
	return found
}

// A tuple is one direction of a flow, as conntrack has it.
type tuple struct {
	protocol                    byte
	source, destination         []byte
	sourcePort, destinationPort uint16
}

func tupleOf(a attributes, direction uint16) tuple {
	t := tuple{}
	if protocol := a.bytes(direction, ctTupleProto, ctProto); len(protocol) == 1 {
		t.protocol = protocol[0]
	}
	source := uint16(ctIPv4Source)
	if a.bytes(direction, ctTupleIP, source) == nil {
		source = ctIPv6Source
	}
	t.source = a.bytes(direction, ctTupleIP, source)
	t.destination = a.bytes(direction, ctTupleIP, source+1)
	t.sourcePort = portNumber(a.bytes(direction, ctTupleProto, ctSourcePort))
	t.destinationPort = portNumber(a.bytes(direction, ctTupleProto, ctSourcePort+1))
	return t
}

func portNumber(b []byte) uint16 {
	if len(b) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// inverse returns the tuple of the packets that answer.
func (t tuple) inverse() tuple {
	return tuple{t.protocol, t.destination, t.source, t.destinationPort, t.sourcePort}
}

// valid reports whether both addresses are of one family.
func (t tuple) valid() bool {
	return len(t.source) == len(t.destination) && (len(t.source) == net.IPv4len || len(t.source) == net.IPv6len)
}

func (t tuple) set() string {
	if len(t.source) == net.IPv4len {
		return "standing4"
	}
	return "standing6"
}

// key returns the key of a set of flows: see flowKey4.
func (t tuple) key() []byte {
	var key []byte
	for _, end := range []struct {
		address []byte
		port    uint16
	}{{t.source, t.sourcePort}, {t.destination, t.destinationPort}} {
		key = append(key, end.address...)
		key = binary.BigEndian.AppendUint16(key, end.port)
		key = append(key, make([]byte, portKeyPadding)...)
	}
	return key
}
