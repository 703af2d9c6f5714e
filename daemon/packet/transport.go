package packet

import "encoding/binary"

const (
	tcpHeader  = 20 // without options
	udpHeader  = 8
	icmpHeader = 8  // of every message that RFC 792 and RFC 4443 define
	tcpFlags   = 13 // offset of the flags in a TCP header
)

// A segment is what the decoder needs of the header of TCP, UDP or ICMP. Of a header that cannot be
// read to its end it has the fields that are there.
type segment struct {
	sourcePort, port uint16
	flags            Flags
	sequence         uint32
	need             int // bytes of the header
	datagram         int // the length in a UDP header
	payload          []byte
	readable         bool
}

// ports reads what TCP and UDP begin with.
func (s *segment) ports(data []byte) {
	if len(data) >= 4 {
		s.sourcePort, s.port = binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
	}
}

// readTCP reads a TCP header (RFC 9293, section 3.1). It returns false when the header is not
// whole, or contradicts itself.
func (s *segment) readTCP(data []byte) bool {
	s.ports(data)
	if len(data) > tcpFlags {
		s.flags, s.sequence = Flags(data[tcpFlags]), binary.BigEndian.Uint32(data[4:])
	}
	if s.need = tcpHeader; len(data) < tcpHeader {
		return false
	}
	s.need = int(data[12]>>4) * 4
	if s.need < tcpHeader || s.need > len(data) || !optionsEnd(data[tcpHeader:s.need]) {
		return false
	}
	s.payload = data[s.need:]
	return true
}

// readUDP reads a UDP header (RFC 768). Bytes after the datagram are no payload.
func (s *segment) readUDP(data []byte) bool {
	s.ports(data)
	if s.need = udpHeader; len(data) < udpHeader {
		return false
	}
	s.datagram = int(binary.BigEndian.Uint16(data[4:]))
	s.payload = data[udpHeader:max(udpHeader, min(s.datagram, len(data)))]
	return true
}

func (s *segment) readICMP(data []byte) bool {
	if s.need = icmpHeader; len(data) < icmpHeader {
		return false
	}
	s.payload = data[icmpHeader:]
	return true
}

// begin sets the ports, and the flags and the sequence number of TCP, as far as they could be read.
func (p *Packet) begin(kind Proto, s *segment) {
	p.Port = Port{kind, s.port}
	p.SourcePort, p.Flags, p.Sequence = s.sourcePort, s.flags, s.sequence
}

// complete checks the segment and sets the payload. Captured is the number of captured bytes of the
// segment, and length the number according to the IP header.
func (p *Packet) complete(s *segment, captured, length int) Drop {
	switch {
	case p.Port.Proto == NoProto:
		return OtherProtocol
	case captured == 0:
		least := [...]int{TCP: tcpHeader, UDP: udpHeader, ICMP: icmpHeader}
		return short(least[p.Port.Proto], 0, length)
	case !s.readable:
		return short(s.need, captured, length)
	case p.Port.Proto != UDP:
		p.Payload, p.Cut = s.payload, captured < length
		return NotDropped
	// A length of 0 means a jumbogram (RFC 2675), which is never a knock.
	case s.datagram < udpHeader || s.datagram > length:
		return Malformed
	}
	p.Payload, p.Cut = s.payload, captured < s.datagram
	return NotDropped
}

// sumRight reports whether the checksum of a segment is right, as far as that can and need be
// known. Addresses are those of its IP header, and data is the segment. ICMP is never a knock.
func (p *Packet) sumRight(s *segment, addresses, data []byte, r Reception) bool {
	switch {
	case r&Judged != 0 || p.Cut || p.Port.Proto == ICMP:
		return true
	case p.Port.Proto == TCP:
		return r&Vouched != 0 || segmentSumRight(addresses, data, protocolTCP, tcpSum, r)
	}
	none := data[udpSum] == 0 && data[udpSum+1] == 0
	switch {
	case none && len(addresses) == 8:
		return true // there is none (RFC 768); over IPv6 there must be one (RFC 8200, section 8.1)
	case r&Vouched != 0 && !none:
		return true
	}
	return segmentSumRight(addresses, data[:s.datagram], protocolUDP, udpSum, r)
}
