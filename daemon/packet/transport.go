package packet

import "encoding/binary"

const (
	tcpHeader  = 20 // without options
	udpHeader  = 8
	icmpHeader = 8  // of every message that RFC 792 and RFC 4443 define
	tcpFlags   = 13 // offset of the flags in a TCP header
)

// peek reads the ports, and the flags and the sequence number of TCP, as far as the segment holds
// them. It checks nothing. A fragment other than the first one has no transport header.
func (p *Packet) peek(kind Proto, later bool, segment []byte) {
	p.Port.Proto = kind
	if kind != TCP && kind != UDP || later || len(segment) < 4 {
		return
	}
	p.SourcePort = binary.BigEndian.Uint16(segment)
	p.Port.Number = binary.BigEndian.Uint16(segment[2:])
	if kind == TCP && len(segment) > tcpFlags {
		p.Flags = Flags(segment[tcpFlags])
		p.Sequence = binary.BigEndian.Uint32(segment[4:])
	}
}

// transport checks the data after the IP headers and sets the payload. Segment holds the captured
// bytes, and length is the number of bytes according to the IP header.
func (p *Packet) transport(kind Proto, segment []byte, length int) Drop {
	switch kind {
	case TCP:
		return p.transportTCP(segment, length)
	case UDP:
		return p.transportUDP(segment, length)
	case ICMP:
		return p.transportICMP(segment, length)
	case NoProto:
	}
	return OtherProtocol
}

func (p *Packet) transportTCP(segment []byte, length int) Drop {
	need := tcpHeader
	if len(segment) >= tcpHeader {
		need = int(segment[12]>>4) * 4
	}
	if need < tcpHeader || len(segment) < need || !optionsEnd(segment[tcpHeader:need]) {
		return short(need, len(segment), length)
	}
	p.Payload, p.Cut = segment[need:], len(segment) < length
	return NotDropped
}

func (p *Packet) transportUDP(segment []byte, length int) Drop {
	if len(segment) < udpHeader {
		return short(udpHeader, len(segment), length)
	}
	// A length of 0 means a jumbogram (RFC 2675), which is never a knock.
	datagram := datagramLength(segment)
	if datagram < udpHeader || datagram > length {
		return Malformed
	}
	p.Payload, p.Cut = segment[udpHeader:min(datagram, len(segment))], len(segment) < datagram
	return NotDropped
}

// datagramLength returns the length in a UDP header.
func datagramLength(segment []byte) int { return int(binary.BigEndian.Uint16(segment[4:])) }

func (p *Packet) transportICMP(segment []byte, length int) Drop {
	if len(segment) < icmpHeader {
		return short(icmpHeader, len(segment), length)
	}
	p.Payload, p.Cut = segment[icmpHeader:], len(segment) < length
	return NotDropped
}

// segmentRight reports whether the checksum of a segment is right, as far as that can and need be
// known. Addresses are those of its IP header. ICMP is never a knock.
func segmentRight(addresses, segment []byte, r Reception, p *Packet) bool {
	switch {
	case r&Judged != 0 || p.Cut || p.Port.Proto == ICMP:
		return true
	case p.Port.Proto == TCP:
		return r&Vouched != 0 || segmentSumRight(addresses, segment, protocolTCP, tcpSum, r)
	}
	none := segment[udpSum] == 0 && segment[udpSum+1] == 0
	switch {
	case none && len(addresses) == 8:
		return true // there is none (RFC 768); over IPv6 there must be one (RFC 8200, section 8.1)
	case r&Vouched != 0 && !none:
		return true
	}
	return segmentSumRight(addresses, segment[:datagramLength(segment)], protocolUDP, udpSum, r)
}
