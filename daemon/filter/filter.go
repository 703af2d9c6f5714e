// Package filter turns the interest of a script set into a test of raw packets: a BPF program for
// the kernel, and the same test in Go for captures. The test is much cheaper than decoding.
//
// Both forms of the test may pass too much, and never too little. A packet that a door could count
// always passes. The decoder or the engine drops the others later, and gives the reason.
package filter

import (
	"encoding/binary"
	"slices"

	"sesame/daemon/packet"
)

// An Interest defines which packets can matter to a script set. The zero Interest is in none.
type Interest struct {
	// TCP and UDP are the ports, in any order and possibly more than once.
	TCP, UDP []uint16
	// AnyFlags is set when a knock requires other TCP flags than SYN without ACK. Then every
	// segment to one of the ports matters.
	AnyFlags bool
	// All is set when a door looks at every port, as a strict door does.
	All bool
}

// Union returns the interest in every packet that matters to i or to other.
func (i Interest) Union(other Interest) Interest {
	return Interest{
		TCP: slices.Concat(i.TCP, other.TCP), UDP: slices.Concat(i.UDP, other.UDP),
		AnyFlags: i.AnyFlags || other.AnyFlags, All: i.All || other.All,
	}
}

// A Filter tests packets. It is immutable, and safe for concurrent use.
type Filter struct {
	tcp, udp ports
	// A TCP segment can matter when its flags under mask are want.
	mask, want packet.Flags
	tunnels    packet.Tunnels
}

// ports is a set of ports: port p is bit p%64 of word p/64.
type ports [1 << 10]uint64

func (s *ports) has(port uint16) bool { return s[port>>6]>>(port&63)&1 != 0 }
func (s *ports) add(port uint16)      { s[port>>6] |= 1 << (port & 63) }

// New returns the filter for an interest.
func New(i Interest) *Filter {
	f := &Filter{mask: packet.SYN | packet.ACK, want: packet.SYN}
	if i.AnyFlags {
		f.mask, f.want = 0, 0
	}
	for _, port := range i.TCP {
		f.tcp.add(port)
	}
	for _, port := range i.UDP {
		f.udp.add(port)
	}
	if i.All {
		for word := range f.tcp {
			f.tcp[word], f.udp[word] = ^uint64(0), ^uint64(0)
		}
	}
	return f
}

// Through returns the filter that looks into tunnels, as [packet.Decoder.Through] does. It is for
// captures: the kernel's program does not.
func (f *Filter) Through(t packet.Tunnels) *Filter {
	through := *f
	through.tunnels = t
	return &through
}

const (
	ethernetHeader = 14
	ipv6Header     = 40
	protocolTCP    = 6
	protocolUDP    = 17
	flagsOffset    = 13 // of the flags in a TCP header
	portOffset     = 2  // of the destination port in TCP and UDP
	fragmentBits   = 0x3fff
)

// Match reports whether a captured frame can matter. It rejects only a whole TCP or UDP packet to a
// port in which no door is interested, or with TCP flags that no door requires. Every other frame
// passes, such as a malformed one or one of another protocol, so that the decoder names its drop.
func (f *Filter) Match(link packet.LinkType, frame []byte) bool {
	if link == packet.Ethernet && len(frame) >= ethernetHeader && f.tunnels == 0 {
		switch binary.BigEndian.Uint16(frame[ethernetHeader-2:]) {
		case packet.EtherTypeIPv4:
			return f.match4(frame[ethernetHeader:])
		case packet.EtherTypeIPv6:
			return f.match6(frame[ethernetHeader:])
		}
	}
	return f.matchOther(link, frame)
}

// matchOther is Match for frames that are not plain Ethernet, and for tunnels. It is a function of
// its own to keep the most common path of Match short.
func (f *Filter) matchOther(link packet.LinkType, frame []byte) bool {
	carries, offset := link.Network(frame)
	if carries, offset = f.tunnels.Strip(carries, frame, offset); offset > len(frame) {
		return true
	}
	switch carries {
	case packet.EtherTypeIPv4:
		return f.match4(frame[offset:])
	case packet.EtherTypeIPv6:
		return f.match6(frame[offset:])
	}
	return true
}

func (f *Filter) match4(ip []byte) bool {
	if len(ip) < 20 || ip[0]>>4 != 4 || binary.BigEndian.Uint16(ip[6:])&fragmentBits != 0 {
		return true
	}
	header := int(ip[0]&0xf) * 4
	if header < 20 || header > len(ip) {
		return true
	}
	return f.transport(ip[9], ip[header:])
}

func (f *Filter) match6(ip []byte) bool {
	if len(ip) < ipv6Header || ip[0]>>4 != 6 {
		return true
	}
	return f.transport(ip[6], ip[ipv6Header:])
}

// transport tests the transport header. For IPv6, protocol is the next header of the first header:
// an extension header is no protocol that it knows, and passes.
func (f *Filter) transport(protocol uint8, segment []byte) bool {
	if len(segment) <= flagsOffset {
		return protocol != protocolUDP || f.datagram(segment)
	}
	port := binary.BigEndian.Uint16(segment[portOffset:])
	switch protocol {
	case protocolTCP:
		return packet.Flags(segment[flagsOffset])&f.mask == f.want && f.tcp.has(port)
	case protocolUDP:
		return f.udp.has(port)
	}
	return true
}

// datagram tests a UDP packet that is too short for the offset of TCP flags.
func (f *Filter) datagram(segment []byte) bool {
	return len(segment) < portOffset+2 || f.udp.has(binary.BigEndian.Uint16(segment[portOffset:]))
}
