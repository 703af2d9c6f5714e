package scrub

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"sesame/daemon/packet"
)

// The protocols whose headers are rewritten, by their numbers in an IP header, and those of IPv6
// extension headers whose length is not told as that of others.
const (
	protoHopByHop    = 0
	protoTCP         = 6
	protoUDP         = 17
	protoFragment    = 44
	protoAH          = 51
	protoICMPv6      = 58
	protoDestination = 60
)

const (
	ipv4Header = 20 // without options
	ipv6Header = 40
	tcpHeader  = 20
)

// A segment is where the parts of a packet are in its bytes.
type segment struct {
	packet.Layout
	sum    int  // of the checksum of the segment; 0: none is there
	covers bool // it covers the addresses
}

// frame replaces the addresses, the ports and the payload in an IP packet, in place, and returns
// it. p is what the decoder made of it, and layout where. What else can hold an address or other
// bytes of a host, and decides nothing, becomes zero: options, extension headers, and what follows
// a datagram. What follows the packet is cut off. Checksums stay as right or as wrong as they were:
// they change by the difference (RFC 1624). One that the sender's network card had still to fill in
// is zero afterwards.
func (s *scrubber) frame(data []byte, p *packet.Packet, layout packet.Layout) []byte {
	data = data[:min(layout.Length, len(data))]
	at := segmentOf(data, layout)
	var sums []int
	if at.sum > 0 {
		sums = []int{at.sum}
	}
	s.network(data, at, sums)
	if at.Protocol == protoTCP || at.Protocol == protoUDP {
		source := s.port(packet.Port{Proto: p.Port.Proto, Number: p.SourcePort})
		replace(data, at.Transport, binary.BigEndian.AppendUint16(nil, source.Number), sums)
		replace(data, at.Transport+2, binary.BigEndian.AppendUint16(nil, s.port(p.Port).Number), sums)
	}
	if at.Protocol == protoTCP {
		blank(data, at.Transport+tcpHeader, at.Payload, sums)
	}
	if len(p.Payload) > 0 && !s.keep[Payloads] {
		replace(data, at.Payload, s.noise(p.Payload), sums)
	}
	if at.Protocol == protoUDP && at.sum > 0 && binary.BigEndian.Uint16(data[at.sum:]) == 0 {
		binary.BigEndian.PutUint16(data[at.sum:], 0xffff) // 0 means that there is none
	}
	clear(data[at.Payload+len(p.Payload):])
	return data
}

// network rewrites the headers of IP.
func (s *scrubber) network(data []byte, at segment, sums []int) {
	covered := sums
	if !at.covers {
		covered = nil
	}
	if data[0]>>4 == 4 {
		header := []int{10}
		if data[10] == 0 && data[11] == 0 {
			header = nil
		}
		covered = append(header, covered...)
		for _, offset := range []int{12, 16} {
			replace(data, offset, s.address(netip.AddrFrom4([4]byte(data[offset:]))).AsSlice(), covered)
		}
		blank(data, ipv4Header, at.Transport, header)
		return
	}
	for _, offset := range []int{8, 24} {
		b := s.address(netip.AddrFrom16([16]byte(data[offset:]))).As16()
		replace(data, offset, b[:], covered)
	}
	blankExtensions(data, at.Transport)
}

// blankExtensions makes the contents of the extension headers of IPv6 zero, up to the transport
// header. Zeros are options without a meaning (Pad1), and the type of a routing header stays.
func blankExtensions(data []byte, transport int) {
	protocol, start := data[6], ipv6Header
	for start < transport {
		end, content := start+(int(data[start+1])+1)*8, start+4
		switch protocol {
		case protoHopByHop, protoDestination:
			content = start + 2
		case protoFragment:
			end = start + 8
		case protoAH:
			end = start + (int(data[start+1])+2)*4
		}
		clear(data[content:end])
		protocol, start = data[start], end
	}
}

// segmentOf completes the layout of a packet that the decoder accepted.
func segmentOf(data []byte, layout packet.Layout) segment {
	at := segment{Layout: layout, covers: true}
	switch at.Protocol {
	case protoTCP:
		at.sum = at.Transport + 16
	case protoUDP:
		at.sum = at.Transport + 6
	default:
		at.sum, at.covers = at.Transport+2, at.Protocol == protoICMPv6
	}
	if sum := binary.BigEndian.Uint16(data[at.sum:]); at.covers && (sum == 0 || sum == pseudoSum(data, at)) {
		binary.BigEndian.PutUint16(data[at.sum:], 0)
		at.sum, at.covers = 0, false
	}
	return at
}

// pseudoSum returns the sum of the pseudo header (RFC 9293, section 3.1), which a host leaves in
// the place of a checksum that the network card fills in.
func pseudoSum(data []byte, at segment) uint16 {
	addresses := data[12:ipv4Header]
	if data[0]>>4 == 6 {
		addresses = data[8:ipv6Header]
	}
	sum := uint32(at.Protocol) + uint32(at.Length-at.Transport)
	for i := 0; i < len(addresses); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(addresses[i:]))
	}
	sum = sum&0xffff + sum>>16
	return uint16(sum&0xffff + sum>>16)
}

// noise returns bytes in the place of a payload. Equal payloads stay equal.
func (s *scrubber) noise(payload []byte) []byte {
	seed := sha256.Sum256(append(append(s.key[:], "payload"...), payload...))
	out := make([]byte, 0, len(payload)+len(seed))
	for counter := uint32(0); len(out) < len(payload); counter++ {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint32(seed[:], counter))
		out = append(out, sum[:]...)
	}
	return out[:len(payload)]
}

// blank makes bytes of a header zero.
func blank(data []byte, from, to int, sums []int) { replace(data, from, make([]byte, to-from), sums) }

// replace overwrites bytes at an even offset, and corrects the checksums at the places.
func replace(data []byte, at int, with []byte, sums []int) {
	for i := 0; i < len(with); i += 2 {
		was, is := uint16(data[at+i])<<8, uint16(with[i])<<8
		if i+1 < len(with) {
			was, is = was|uint16(data[at+i+1]), is|uint16(with[i+1])
		}
		for _, place := range sums {
			adjust(data[place:], was, is)
		}
	}
	copy(data[at:], with)
}

// adjust corrects a checksum for a word that changed.
func adjust(sum []byte, was, is uint16) {
	n := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^was) + uint32(is)
	n = n&0xffff + n>>16
	n = n&0xffff + n>>16
	binary.BigEndian.PutUint16(sum, ^uint16(n))
}
