// Package packet turns the bytes of a captured frame into a Packet.
//
// It does no I/O, reads no clock and stores nothing between two frames. The decoder is driven by
// gopacket, with layers of our own (layers.go). A frame that cannot be a knock is no error: it has
// a [Drop], the reason, which the caller counts.
package packet

import (
	"math/bits"
	"net/netip"
	"time"
)

// A Packet is one TCP, UDP or ICMP packet, without the fields that Sesame does not use.
//
// A Packet is reused for the next frame: [Decoder.Decode] overwrites all fields except Time, Number
// and Capture.
//
// ID, Digest, LinkDigest and Interface tell a copy of a packet from a packet that was sent again.
type Packet struct {
	// Time is the time stamp of the capture. The reader of the capture sets it.
	Time time.Time
	// Number counts the packets of a capture from 1. Capture counts the captures from 1, and is 0
	// when there is only one. The reader of the capture sets both.
	Number  int
	Capture int

	// Source and Dest have no zone and are never IPv4-mapped IPv6 addresses.
	Source, Dest netip.Addr
	// SourcePort and Port are zero for ICMP, except for Port.Proto.
	SourcePort uint16
	Port       Port

	// Flags and Sequence are those of a TCP header. They are zero for other protocols.
	Flags    Flags
	Sequence uint32

	// Loopback means that the packet came over a loopback interface, so from this host. Vouched
	// means that the checksum of the segment was not looked at, as [Vouched] says.
	Loopback, Vouched bool

	// ID is the identification of an IPv4 header; 0 for IPv6. MayFragment means that the IPv4
	// header allows fragments. Then the sender gives each packet another ID, which may be 0. It may
	// leave the ID 0 only in packets that nobody may fragment (RFC 6864, section 4).
	ID          uint16
	MayFragment bool
	// Digest is a hash of the packet from its network header on, without the hop limit and the
	// checksum of an IPv4 header. It covers the captured bytes and the length on the wire, and no
	// padding of the link. It is the same on every machine.
	Digest uint64
	// LinkDigest is a hash of the link header: MAC addresses, VLAN tags, packet type. It is 0 when
	// the link type has no header. Of a packet in a tunnel it covers all headers before the packet,
	// without what differs between two packets on the same way, such as sequence numbers.
	LinkDigest uint64
	// Interface is the number of the interface in the link header, as in a Linux cooked capture of
	// version 2; else 0. See [Packet.CameBy].
	Interface uint32

	// Payload is the data after the transport header. It aliases the frame, and is valid as long as
	// the frame is. Cut means that the capture holds only the beginning of the payload.
	Payload []byte
	Cut     bool
}

// clear sets the fields that a decoder sets only when it could read them.
func (p *Packet) clear() {
	p.Source, p.Dest = netip.Addr{}, netip.Addr{}
	p.SourcePort, p.Port, p.Flags, p.Sequence = 0, Port{}, 0, 0
	p.ID, p.MayFragment, p.Digest, p.LinkDigest, p.Interface = 0, false, 0, 0, 0
	p.Payload, p.Cut = nil, false
}

// CameBy sets the interface to one that differs for each pair of the given number and the interface
// in the link header. The reader of a capture calls it after decoding, with the number of the
// interface in the file. It is exact as long as both together have at most 32 significant bits, so
// for all numbers when the link header has none. Beyond, two interfaces may be taken for one.
func (p *Packet) CameBy(number uint32) { p.Interface ^= bits.Reverse32(number) }

// A Drop is the reason why a packet was not a knock. Drops are counted and never logged, since a
// stranger who sends packets decides how many there are.
type Drop uint8

// The drops. A packet that the filter rejects before it is decoded is NotWatched, whatever its
// destination.
const (
	NotDropped    Drop = iota // not dropped
	Truncated                 // the capture holds less of the packet than its headers need
	NotIP                     // neither IPv4 nor IPv6
	Malformed                 // headers that contradict themselves, or that no honest host sends
	Fragment                  // any fragment: a later one has no ports, and those of a first one can be overwritten
	OtherProtocol             // IP, but neither TCP, UDP nor ICMP
	NotLocal                  // not addressed to this host
	NotWatched                // no door is interested in this port, or in these flags
	Retransmit                // a TCP segment that came before
	OtherPayload              // the port is that of a knock, and the payload is not
	Duplicate                 // a copy of a packet, which was captured twice
	Drops                     // the number of drops, for arrays
)

// dropNames are the names of the drops in transcripts, in status and in metrics.
var dropNames = [Drops]string{
	NotDropped: "kept", Truncated: "truncated", NotIP: "not_ip", Malformed: "malformed", Fragment: "fragment",
	OtherProtocol: "other_protocol", NotLocal: "not_local", NotWatched: "not_watched", Retransmit: "retransmit",
	OtherPayload: "other_payload", Duplicate: "duplicate",
}

// String returns the name of the drop in the transcript.
func (d Drop) String() string { return dropNames[d] }
