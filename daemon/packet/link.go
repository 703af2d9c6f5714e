package packet

import (
	"encoding/binary"
	"strconv"
)

// A LinkType says what a captured frame begins with. Its numbers are those of
// the registry that pcap and pcapng share (draft-ietf-opsawg-pcaplinktype).
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

// The EtherTypes that Sesame tells apart.
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

// String returns the name in the registry, or "link type NUMBER".
func (l LinkType) String() string {
	switch l {
	case Null:
		return "NULL"
	case Ethernet:
		return "ETHERNET"
	case RawBSD, RawOther, Raw:
		return "RAW"
	case Loop:
		return "LOOP"
	case SLL:
		return "LINUX_SLL"
	case IPv4:
		return "IPV4"
	case IPv6:
		return "IPV6"
	case SLL2:
		return "LINUX_SLL2"
	}
	return "link type " + strconv.Itoa(int(l))
}

// Supported reports whether frames of this type can be decoded. Those of any
// other are [NotIP].
func (l LinkType) Supported() bool {
	switch l {
	case Null, Ethernet, RawBSD, RawOther, Raw, Loop, SLL, IPv4, IPv6, SLL2:
		return true
	}
	return false
}

// Network finds what a frame carries: its EtherType, past all VLAN tags, and
// the offset of its network header. An offset beyond the frame says that the
// frame ends within its link header, and an EtherType of 0 that it carries
// nothing that has one.
func (l LinkType) Network(frame []byte) (etherType uint16, offset int) {
	switch l {
	case Ethernet:
		return tagged(frame, ethernetHeader-2, ethernetHeader)
	case SLL:
		return tagged(frame, sllHeader-2, sllHeader)
	case SLL2:
		return tagged(frame, 0, sll2Header)
	case Null, Loop:
		return loopback(frame)
	case Raw, RawBSD, RawOther:
		return rawIP(frame)
	case IPv4:
		return EtherTypeIPv4, 0
	case IPv6:
		return EtherTypeIPv6, 0
	}
	return 0, 0
}

// tagged reads the EtherType at field of a link header, and steps over the VLAN
// tags that follow the header.
func tagged(frame []byte, field, header int) (etherType uint16, offset int) {
	if len(frame) < header {
		return 0, header
	}
	etherType, offset = Untag(binary.BigEndian.Uint16(frame[field:]), frame[header:])
	return etherType, header + offset
}

// Untag steps over the VLAN tags that data begins with, if the EtherType before
// it announces any, and returns the innermost EtherType and where in data that
// begins what it announces. An offset beyond data, with an EtherType of 0, says
// that data ends within a tag.
func Untag(etherType uint16, data []byte) (inner uint16, offset int) {
	for etherType == EtherTypeVLAN || etherType == EtherTypeQinQ || etherType == EtherTypeQinQ2 {
		if offset += vlanTag; len(data) < offset {
			return 0, offset
		}
		etherType = binary.BigEndian.Uint16(data[offset-2:])
	}
	return etherType, offset
}

// loopback reads an address family in either byte order: a file does not say
// which host wrote it, and all families are small numbers.
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
