package packet

import (
	"encoding/binary"
	"strconv"
)

// A LinkType describes what a captured frame begins with. Its numbers are those of the registry
// that pcap and pcapng share (draft-ietf-opsawg-pcaplinktype).
//
// A new link type needs a number here and a row in formats, and nothing elsewhere.
type LinkType uint16

// The link types that Sesame reads.
const (
	Null     LinkType = 0   // BSD loopback: the address family, in the byte order of the capturing host
	Ethernet LinkType = 1   // with any number of VLAN tags
	RawBSD   LinkType = 12  // Raw, as some systems number it
	RawOther LinkType = 14  // Raw, as others do
	Raw      LinkType = 101 // an IPv4 or IPv6 packet
	Loop     LinkType = 108 // OpenBSD loopback: the address family, in network byte order
	SLL      LinkType = 113 // Linux cooked capture
	IPv4     LinkType = 228
	IPv6     LinkType = 229
	SLL2     LinkType = 276 // Linux cooked capture, version 2
)

// A format describes the frames of a link type: its name in the registry, and what Network returns
// for a frame.
type format struct {
	name    string
	network func(frame []byte) (etherType uint16, offset int)
}

// formats is indexed by link type. A link type that Sesame does not read has no network function.
var formats = [...]format{
	Null:     {"NULL", loopback},
	Ethernet: {"ETHERNET", ethernetFrame},
	RawBSD:   {"RAW", rawIP},
	RawOther: {"RAW", rawIP},
	Raw:      {"RAW", rawIP},
	Loop:     {"LOOP", loopback},
	SLL:      {"LINUX_SLL", cooked},
	IPv4:     {"IPV4", func([]byte) (uint16, int) { return EtherTypeIPv4, 0 }},
	IPv6:     {"IPV6", func([]byte) (uint16, int) { return EtherTypeIPv6, 0 }},
	SLL2:     {"LINUX_SLL2", cooked2},
}

// String returns the name in the registry, or "link type NUMBER" for a link type that Sesame does
// not read.
func (l LinkType) String() string {
	if l.Supported() {
		return formats[l].name
	}
	return "link type " + strconv.Itoa(int(l))
}

// Supported reports whether frames of this type can be decoded. Frames of another type are [NotIP].
func (l LinkType) Supported() bool { return int(l) < len(formats) && formats[l].network != nil }

// Network returns the EtherType of what a frame carries, after all VLAN tags, and the offset of its
// network header. An offset beyond the frame means that the frame ends within its link header. An
// EtherType of 0 means that the frame carries nothing that has an EtherType.
func (l LinkType) Network(frame []byte) (etherType uint16, offset int) {
	if !l.Supported() {
		return 0, 0
	}
	return formats[l].network(frame)
}

// iface returns the number of the interface in a link header; 0 when it has none.
func (l LinkType) iface(frame []byte) uint32 {
	if l == SLL2 {
		return binary.BigEndian.Uint32(frame[4:])
	}
	return 0
}

// The EtherTypes that Sesame distinguishes.
const (
	EtherTypeIPv4  = 0x0800
	EtherTypeIPv6  = 0x86dd
	EtherTypeVLAN  = 0x8100 // IEEE 802.1Q
	EtherTypeQinQ  = 0x88a8 // IEEE 802.1ad
	EtherTypeQinQ2 = 0x9100 // 802.1ad before it was a standard
)

const (
	ethernetHeader = 14
	vlanTag        = 4
	loopHeader     = 4
	sllHeader      = 16
	sll2Header     = 20
)

func ethernetFrame(frame []byte) (etherType uint16, offset int) {
	return tagged(frame, ethernetHeader-2, ethernetHeader)
}

// cooked and cooked2 read the headers of Linux cooked captures (LINKTYPE_LINUX_SLL and _SLL2 in the
// registry). Version 2 begins with the EtherType, version 1 ends with it.
func cooked(frame []byte) (etherType uint16, offset int) {
	return tagged(frame, sllHeader-2, sllHeader)
}

func cooked2(frame []byte) (etherType uint16, offset int) { return tagged(frame, 0, sll2Header) }

// tagged reads the EtherType at offset field of a link header, and steps over the VLAN tags after
// the header.
func tagged(frame []byte, field, header int) (etherType uint16, offset int) {
	if len(frame) < header {
		return 0, header
	}
	etherType, offset = Untag(binary.BigEndian.Uint16(frame[field:]), frame[header:])
	return etherType, header + offset
}

// Untag steps over the VLAN tags at the beginning of data. EtherType is the type before data: it
// reports whether data begins with a tag. Untag returns the EtherType after the last tag, and the
// offset in data of what that type announces. When data ends within a tag, the offset is beyond
// data and the EtherType is 0.
func Untag(etherType uint16, data []byte) (inner uint16, offset int) {
	for etherType == EtherTypeVLAN || etherType == EtherTypeQinQ || etherType == EtherTypeQinQ2 {
		if offset += vlanTag; len(data) < offset {
			return 0, offset
		}
		etherType = binary.BigEndian.Uint16(data[offset-2:])
	}
	return etherType, offset
}

// loopback reads an address family in either byte order. A file does not name the host that wrote
// it, and all families are small numbers.
func loopback(frame []byte) (etherType uint16, offset int) {
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
	return 0, loopHeader
}

// rawIP reads the version of an IP packet without a link header.
func rawIP(frame []byte) (etherType uint16, offset int) {
	if len(frame) == 0 {
		return 0, 1
	}
	switch frame[0] >> 4 {
	case 4:
		return EtherTypeIPv4, 0
	case 6:
		return EtherTypeIPv6, 0
	}
	return 0, 0
}
