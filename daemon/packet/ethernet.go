package packet

import "encoding/binary"

// This file steps over what may stand between a link header and an IP packet: VLAN tags, LLC, MPLS
// labels and PPPoE.

// The EtherTypes that Sesame distinguishes (IEEE 802, RFC 9542).
const (
	EtherTypeIPv4  = 0x0800
	EtherTypeIPv6  = 0x86dd
	EtherTypeVLAN  = 0x8100 // IEEE 802.1Q
	EtherTypeQinQ  = 0x88a8 // IEEE 802.1ad
	EtherTypeQinQ2 = 0x9100 // 802.1ad before it was a standard

	etherTypeMPLS          = 0x8847 // RFC 3032
	etherTypeMPLSMulticast = 0x8848
	etherTypePPPoE         = 0x8864 // the session stage (RFC 2516)
	etherTypeBridged       = 0x6558 // an Ethernet frame (RFC 1701)
)

const (
	ethernetHeader = 14
	fddiHeader     = 13
	vlanTag        = 4
	mplsLabel      = 4
	pppoeHeader    = 6
	llcHeader      = 3
	snapHeader     = 8
	largestLength  = 1500 // a larger number in the place of the length is an EtherType (IEEE 802.3)
)

func ethernetFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) < ethernetHeader {
		return 0, ethernetHeader
	}
	carries, offset = unwrap(etherKind(frame[ethernetHeader-2:]), frame[ethernetHeader:])
	return carries, ethernetHeader + offset
}

func fddiFrame(frame []byte) (carries Kind, offset int) { return behind(fddiHeader, llcFrame)(frame) }
func llcFrame(frame []byte) (carries Kind, offset int)  { return unwrap(llcNext, frame) }

// atmClassicFrame reads a frame of Classical IP over ATM. Linux may leave the LLC header away.
func atmClassicFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) > 0 && frame[0]>>4 != 4 && frame[0]>>4 != 6 {
		return llcFrame(frame)
	}
	return rawIP(frame)
}

func mplsFrame(frame []byte) (carries Kind, offset int) { return unwrap(etherTypeMPLS, frame) }
func pppoeFrame(frame []byte) (carries Kind, offset int) {
	return unwrap(etherTypePPPoE, frame)
}

// etherKind reads an EtherType, or a length in its place. An LLC header follows a length.
func etherKind(field []byte) Kind {
	if value := binary.BigEndian.Uint16(field); value > largestLength {
		return Kind(value)
	}
	return llcNext
}

// unwrap steps over the headers at the beginning of data, of which next is the kind of the first
// one. It returns the kind of what follows the last one, and its offset. When data ends within a
// header, the offset is beyond data and the kind is 0. Each header has at least a byte, so the
// length of data bounds the number of steps.
func unwrap(next Kind, data []byte) (carries Kind, offset int) {
	for {
		var read func([]byte) (Kind, int)
		// Other kinds are handled alike.
		//exhaustive:ignore
		switch next {
		case EtherTypeIPv4, EtherTypeIPv6:
			return next, offset
		case EtherTypeVLAN, EtherTypeQinQ, EtherTypeQinQ2:
			read = vlan
		case llcNext:
			read = llc
		case etherTypeMPLS, etherTypeMPLSMulticast:
			read = labels
		case etherTypePPPoE:
			read = pppoe
		case pppNext:
			read = ppp
		default:
			return next, offset
		}
		kind, n := read(data[offset:])
		if offset += n; offset > len(data) {
			return 0, offset
		}
		next = kind
	}
}

func vlan(data []byte) (next Kind, size int) {
	if len(data) < vlanTag {
		return 0, vlanTag
	}
	return etherKind(data[2:]), vlanTag
}

// llc reads an LLC header, and a SNAP header behind it (IEEE 802.2; RFC 1042).
func llc(data []byte) (next Kind, size int) {
	const snap, ip, unnumbered = 0xaa, 0x06, 0x03
	if len(data) < llcHeader {
		return 0, llcHeader
	}
	switch {
	case data[0] == ip && data[2] == unnumbered:
		return EtherTypeIPv4, llcHeader
	case data[0] != snap || data[2] != unnumbered:
		return services.kind(uint16(data[0])), llcHeader
	case len(data) < snapHeader:
		return 0, snapHeader
	}
	switch organization := uint32(data[3])<<16 | uint32(data[4])<<8 | uint32(data[5]); organization {
	case 0, 0xf8: // an EtherType; 0000f8 where a bridge translated the frame (RFC 1042, IEEE 802.1H)
		return etherKind(data[6:]), snapHeader
	default:
		return organizationKind(organization), snapHeader
	}
}

// labels reads a stack of MPLS labels (RFC 3032). The stack does not tell what follows it, so the
// version of an IP packet must.
func labels(data []byte) (next Kind, size int) {
	for bottom := false; !bottom; size += mplsLabel {
		if len(data) < size+mplsLabel {
			return 0, size + mplsLabel
		}
		bottom = data[size+2]&1 != 0
	}
	next, more := rawIP(data[size:])
	if next != EtherTypeIPv4 && next != EtherTypeIPv6 && more == 0 {
		next = underLabels
	}
	return next, size + more
}

// pppoe reads a PPPoE session header (RFC 2516, section 4). Version and type are 1, and code 0
// means session data.
func pppoe(data []byte) (next Kind, size int) {
	if len(data) < pppoeHeader {
		return 0, pppoeHeader
	}
	if data[0] != 0x11 || data[1] != 0 {
		return oddPPPoE, pppoeHeader
	}
	return pppNext, pppoeHeader
}

// Untag steps over the VLAN tags at the beginning of data. EtherType is the type before data: it
// reports whether data begins with a tag. Untag returns the EtherType after the last tag, and the
// offset in data of what that type announces. When data ends within a tag, the offset is beyond
// data and the EtherType is 0.
//
// It is for packets that the kernel delivers, and steps over nothing else: the kernel delivers what
// is inside PPPoE once more, from the interface of the session.
func Untag(etherType uint16, data []byte) (inner uint16, offset int) {
	for etherType == EtherTypeVLAN || etherType == EtherTypeQinQ || etherType == EtherTypeQinQ2 {
		if offset += vlanTag; len(data) < offset {
			return 0, offset
		}
		etherType = binary.BigEndian.Uint16(data[offset-2:])
	}
	return etherType, offset
}
