package scrub

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"sesame/daemon/packet"
)

// The protocols whose headers are rewritten, by their numbers in an IP header.
const (
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// A segment is where the parts of a packet are in its bytes.
type segment struct {
	protocol  byte
	transport int // of the transport header
	sum       int // of the checksum of the segment; 0: none is there
	covers    bool
}

// frame replaces the addresses, the port and the payload in an IP packet, in place. p is what the
// decoder made of it. Checksums stay as right or as wrong as they were: they change by the
// difference (RFC 1624).
func (s *scrubber) frame(data []byte, p *packet.Packet) {
	at := segmentOf(data)
	var sums []int
	if at.sum > 0 {
		sums = []int{at.sum}
	}
	covered := sums
	if !at.covers {
		covered = nil
	}
	if data[0]>>4 == 4 {
		covered = append([]int{10}, covered...)
		for _, offset := range []int{12, 16} {
			replace(data, offset, s.address(netip.AddrFrom4([4]byte(data[offset:]))).AsSlice(), covered)
		}
	} else {
		for _, offset := range []int{8, 24} {
			b := s.address(netip.AddrFrom16([16]byte(data[offset:]))).As16()
			replace(data, offset, b[:], covered)
		}
	}
	if at.protocol == protoTCP || at.protocol == protoUDP {
		replace(data, at.transport+2, binary.BigEndian.AppendUint16(nil, s.port(p.Port).Number), sums)
	}
	if n := len(p.Payload); n > 0 && !s.keep[Payloads] {
		if from := payloadAt(data, at); from > 0 && from+n <= len(data) {
			replace(data, from, s.noise(data[from:from+n]), sums)
		}
	}
	if at.protocol == protoUDP && at.sum > 0 && binary.BigEndian.Uint16(data[at.sum:]) == 0 {
		binary.BigEndian.PutUint16(data[at.sum:], 0xffff) // 0 means that there is none
	}
}

// segmentOf finds the transport header of a packet that the decoder accepted.
func segmentOf(data []byte) segment {
	at := segment{protocol: data[9], transport: int(data[0]&15) * 4}
	if data[0]>>4 == 6 {
		at.protocol, at.transport = data[6], 40
		for at.transport+8 <= len(data) && extension(at.protocol) {
			next, length := data[at.transport], (int(data[at.transport+1])+1)*8
			if at.protocol == 51 { // authentication header, RFC 4302
				length = (int(data[at.transport+1]) + 2) * 4
			}
			at.protocol, at.transport = next, at.transport+length
		}
	}
	switch at.protocol {
	case protoTCP:
		at.sum, at.covers = at.transport+16, true
	case protoUDP:
		at.sum, at.covers = at.transport+6, true
	default:
		at.sum, at.covers = at.transport+2, at.protocol == protoICMPv6
	}
	if at.sum+2 > len(data) || at.protocol == protoUDP && binary.BigEndian.Uint16(data[at.sum:]) == 0 {
		at.sum, at.covers = 0, false
	}
	return at
}

// extension reports whether a header of IPv6 is followed by another one: hop-by-hop options,
// routing, destination options, authentication.
func extension(protocol byte) bool {
	return protocol == 0 || protocol == 43 || protocol == 60 || protocol == 51
}

func payloadAt(data []byte, at segment) int {
	if at.protocol != protoTCP {
		return at.transport + 8
	}
	if at.transport+12 >= len(data) {
		return 0
	}
	return at.transport + int(data[at.transport+12]>>4)*4
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
