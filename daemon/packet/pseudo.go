package packet

import "encoding/binary"

// This file reads headers that a capturing program writes before a packet, and that were never on a
// wire. Their forms are described at https://www.tcpdump.org/linktypes.html.

const (
	ipnetHeader = 24

	nflogHeader  = 4
	nflogTLV     = 4 // length and type of a value
	nflogFirst   = 8 // the first value: protocol and hook
	nflogPacket  = 1 // the type of the value that has protocol and hook
	nflogPayload = 9 // the type of the value that is the packet
	nflogAlign   = 4 // values begin at multiples of it

	pktapHeader    = 108 // the least length of version 1
	pktapHeader2   = 40  // the fixed part of version 2
	pktapFlags     = 36  // in both versions
	pktapIsVersion = 0x80000
	pktapName      = 24 // the longest name of an interface
)

// ipnetFrame reads the header of a Solaris ipnet device. Families are those of Solaris.
func ipnetFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) < ipnetHeader {
		return 0, ipnetHeader
	}
	switch frame[1] {
	case 2:
		return EtherTypeIPv4, ipnetHeader
	case 26:
		return EtherTypeIPv6, ipnetHeader
	}
	return families.kind(uint16(frame[1])), ipnetHeader
}

// nflogFrame finds the packet among the values of a frame that netfilter logged (attributes of
// linux/netfilter/nfnetlink_log.h). Lengths and types are in the byte order of the capturing host.
// All types are below 256, so the first one tells the order.
func nflogFrame(frame []byte) (carries Kind, offset int) {
	if len(frame) < nflogHeader+nflogTLV {
		return 0, nflogHeader + nflogTLV
	}
	var order binary.ByteOrder = binary.LittleEndian
	if frame[nflogHeader+2] == 0 {
		order = binary.BigEndian
	}
	carries = nflogFamily(frame[0])
	for offset = nflogHeader; len(frame) >= offset+nflogTLV; {
		length, kind := int(order.Uint16(frame[offset:])), order.Uint16(frame[offset+2:])
		switch {
		case kind == nflogPayload:
			return carries, offset + nflogTLV
		case length < nflogTLV:
			return oddNFLog, offset
		case kind == nflogPacket && carries.list() == families && len(frame) >= offset+nflogTLV+2:
			carries = Kind(binary.BigEndian.Uint16(frame[offset+nflogTLV:]))
		}
		offset += (length + nflogAlign - 1) / nflogAlign * nflogAlign
	}
	return 0, offset + nflogTLV
}

// nflogFamily returns the kind of a packet by the family of the table that logged it. Families are
// those of Linux. The tables bridge and netdev log packets of any protocol, and say which.
func nflogFamily(family byte) Kind {
	switch family {
	case 2:
		return EtherTypeIPv4
	case 10:
		return EtherTypeIPv6
	}
	return families.kind(uint16(family))
}

// pktap reads the header of an Apple packet tap. It returns the link type of the frame behind the
// header, and the length of the header. A PKTAP within a PKTAP is not read.
func pktap(frame []byte) (LinkType, int) {
	if len(frame) < pktapHeader2 {
		return 0, pktapHeader2
	}
	link, size, least := LinkType(binary.LittleEndian.Uint16(frame[6:])), int(frame[0]), pktapHeader2
	if binary.LittleEndian.Uint32(frame[pktapFlags:])&pktapIsVersion == 0 {
		link, least = LinkType(binary.LittleEndian.Uint16(frame[8:])), pktapHeader
		size = int(min(binary.LittleEndian.Uint32(frame), 1<<20))
	}
	if size < least || link == PKTAP {
		return PKTAP, 0
	}
	return link, size
}

// pktapIdentity returns the digest of the name of the interface and of the header behind that of
// the tap. The rest of it tells of processes and of the time.
func pktapIdentity(header []byte) uint64 {
	_, size := pktap(header)
	name := 12
	if binary.LittleEndian.Uint32(header[pktapFlags:])&pktapIsVersion != 0 {
		name = int(header[3])
	}
	var h hash
	h.write(header[min(name, size):min(name+pktapName, size)])
	h.write(header[size:])
	return h.sum()
}
