package craft

import (
	"net/netip"

	"sesame/daemon/packet"
)

// A Knock is one packet as a person thinks of it. What else a packet has is up to a [Sender].
type Knock struct {
	Port    packet.Port
	Flags   packet.Flags // of TCP
	Payload []byte
}

// The hosts that knocks are for unless something else is said. Both addresses are reserved for
// documentation (RFC 5737, RFC 3849).
var (
	Host4 = netip.MustParseAddr("192.0.2.1")
	Host6 = netip.MustParseAddr("2001:db8::1")
)

// HostFor returns the one of [Host4] and [Host6] that a source can send to.
func HostFor(source netip.Addr) netip.Addr {
	if source.Is4() {
		return Host4
	}
	return Host6
}

// A Sender gives each packet a sequence number of its own, and a source port that the 20,000
// packets before it do not have. So no packet looks like a retransmit or a copy of another one. The
// zero Sender is ready.
type Sender struct{ sent uint32 }

// Packet returns the packet of a knock.
func (s *Sender) Packet(source, dest netip.Addr, k Knock) Packet {
	const firstPort, ports = 40000, 20000
	s.sent++
	return Packet{
		Source: source, Dest: dest, SourcePort: uint16(firstPort + s.sent%ports),
		Port: k.Port, Flags: k.Flags, Sequence: 1000 * s.sent, Payload: k.Payload,
	}
}

// Skip makes the next packet differ from the last one as if so many were between them.
func (s *Sender) Skip(packets int) { s.sent += uint32(packets) }
