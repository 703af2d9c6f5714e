package packet

import "encoding/binary"

// A LinkType describes what a captured frame begins with. Its numbers are those of the registry
// that pcap and pcapng share (draft-ietf-opsawg-pcaplinktype).
//
// A new link type needs a number here and a row in formats, and nothing elsewhere.
type LinkType uint16

// The link types that Sesame reads.
const (
	Null        LinkType = 0   // BSD loopback: the address family, in the byte order of the capturing host
	Ethernet    LinkType = 1   // with any number of VLAN tags
	PPP         LinkType = 9   // with or without the framing of HDLC
	FDDI        LinkType = 10  // with an LLC header
	RawBSD      LinkType = 12  // Raw, as some systems number it
	RawOther    LinkType = 14  // Raw, as others do
	PPPinHDLC   LinkType = 50  // PPP, or Cisco's HDLC
	PPPoE       LinkType = 51  // a PPPoE session packet, without an Ethernet header
	ATM         LinkType = 100 // an LLC header (RFC 2684)
	Raw         LinkType = 101 // an IPv4 or IPv6 packet
	CiscoHDLC   LinkType = 104
	ATMClassic  LinkType = 106 // an LLC header (RFC 2225), or an IP packet at once
	Loop        LinkType = 108 // OpenBSD loopback: the address family, in network byte order
	SLL         LinkType = 113 // Linux cooked capture
	PPPD        LinkType = 166 // PPP with the direction in place of the address
	PPPWithDir  LinkType = 204 // PPP behind a byte with the direction
	HDLCWithDir LinkType = 205 // CiscoHDLC behind a byte with the direction
	MPLS        LinkType = 219 // a stack of labels
	IPNet       LinkType = 226 // Solaris
	IPv4        LinkType = 228
	IPv6        LinkType = 229
	NFLog       LinkType = 239 // what a rule of the Linux firewall logged
	PKTAP       LinkType = 258 // Apple: another link type behind a header of its own
	SLL2        LinkType = 276 // Linux cooked capture, version 2
)

// A format reads the header of a frame. It returns what Network does.
type format func(frame []byte) (carries Kind, offset int)

// formats has the link types that Sesame reads. PKTAP is not among them: it holds another link
// type.
var formats = [...]format{
	Null: loopback, Ethernet: ethernetFrame, PPP: pppFrame, FDDI: fddiFrame, RawBSD: rawIP, RawOther: rawIP,
	PPPinHDLC: pppHDLCFrame, PPPoE: pppoeFrame, ATM: llcFrame, Raw: rawIP, CiscoHDLC: hdlcFrame, ATMClassic: atmClassicFrame,
	Loop: loopback, SLL: cooked, PPPD: behind(2, pppFrame), PPPWithDir: behind(1, pppFrame),
	HDLCWithDir: behind(1, hdlcFrame), MPLS: mplsFrame, IPNet: ipnetFrame,
	IPv4:  func([]byte) (Kind, int) { return EtherTypeIPv4, 0 },
	IPv6:  func([]byte) (Kind, int) { return EtherTypeIPv6, 0 },
	NFLog: nflogFrame, SLL2: cooked2,
}

// behind reads a format that follows n bytes without meaning for us.
func behind(n int, next format) format {
	return func(frame []byte) (Kind, int) {
		if len(frame) < n {
			return 0, n
		}
		carries, offset := next(frame[n:])
		return carries, n + offset
	}
}

// Supported reports whether frames of this type can be decoded. Frames of another type are [NotIP].
func (l LinkType) Supported() bool {
	return l == PKTAP || int(l) < len(formats) && formats[l] != nil
}

// Network returns the kind of what a frame carries, after all tags, labels and PPP headers, and the
// offset of that. An offset beyond the frame means that the frame ends within its link header. A
// frame of a type that Sesame does not read carries its link type, at 0.
func (l LinkType) Network(frame []byte) (carries Kind, offset int) {
	skip := 0
	if l == PKTAP {
		if l, skip = pktap(frame); skip > len(frame) {
			return 0, skip
		}
	}
	if int(l) >= len(formats) || formats[l] == nil {
		return l.Kind(), 0
	}
	carries, offset = formats[l](frame[skip:])
	return carries, skip + offset
}

// iface returns the number of the interface in a link header; 0 when it has none. The frame has a
// whole link header.
func (l LinkType) iface(frame []byte) uint32 {
	// Other kinds are handled alike.
	//exhaustive:ignore
	switch l {
	case SLL2:
		return binary.BigEndian.Uint32(frame[4:])
	case IPNet:
		return binary.BigEndian.Uint32(frame[8:])
	}
	return 0
}

// identity returns the digest of a link header. It leaves out what differs between two packets on
// the same way, such as a time.
func (l LinkType) identity(header []byte) uint64 {
	// Other kinds are handled alike.
	//exhaustive:ignore
	switch l {
	case NFLog:
		header = header[:min(nflogHeader+nflogFirst, len(header))]
	case PKTAP:
		return pktapIdentity(header)
	}
	return digest(header)
}

const (
	loopHeader = 4
	sllHeader  = 16
	sll2Header = 20
)

// cooked and cooked2 read the headers of Linux cooked captures (LINKTYPE_LINUX_SLL and _SLL2 in the
// registry). Version 2 begins with the EtherType, version 1 ends with it.
func cooked(frame []byte) (carries Kind, offset int) { return cookedAs(frame, sllHeader-2, sllHeader) }

func cooked2(frame []byte) (carries Kind, offset int) { return cookedAs(frame, 0, sll2Header) }

// cookedAs reads a header with the EtherType at offset field. Linux has numbers of its own for
// frames that have a length in the place of the EtherType (linux/if_ether.h).
func cookedAs(frame []byte, field, header int) (carries Kind, offset int) {
	const novell, llcFrames = 1, 4
	if len(frame) < header {
		return 0, header
	}
	carries = Kind(binary.BigEndian.Uint16(frame[field:]))
	if carries == novell || carries == llcFrames {
		carries = llcNext
	}
	carries, offset = unwrap(carries, frame[header:])
	return carries, header + offset
}

// loopback reads an address family in either byte order. A file does not name the host that wrote
// it, and all families are small numbers.
func loopback(frame []byte) (carries Kind, offset int) {
	if len(frame) < loopHeader {
		return 0, loopHeader
	}
	family := binary.BigEndian.Uint32(frame)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(frame)
	}
	switch family {
	case 2: // AF_INET, everywhere
		return EtherTypeIPv4, loopHeader
	case 10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS
		return EtherTypeIPv6, loopHeader
	}
	return families.kind(uint16(family)), loopHeader
}

// rawIP reads the version of an IP packet without a link header.
func rawIP(frame []byte) (carries Kind, offset int) {
	if len(frame) == 0 {
		return 0, 1
	}
	switch frame[0] >> 4 {
	case 4:
		return EtherTypeIPv4, 0
	case 6:
		return EtherTypeIPv6, 0
	}
	return versions.kind(uint16(frame[0] >> 4)), 0
}
