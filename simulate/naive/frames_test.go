package naive_test

import (
	"encoding/binary"
	"slices"
)

// This file writes IP packets.

// missing returns how many bytes of the payload the capture lacks.
func (s *sent) missing() int {
	if s.form == shortened {
		return min(2, len(s.payload))
	}
	return 0
}

// cut returns how many bytes of a transport header the capture has.
func (s *sent) cut() int { return 2 + s.padding%2*4 }

// frame returns the captured bytes of a packet, and its length on the wire.
func (s *sent) frame(l *link) (captured []byte, wire int) {
	segment := s.segment()
	header := s.header(len(segment))
	whole := l.frame(s, slices.Concat(header, segment))
	if l.number == 1 && s.form != shortened && s.form != beheaded {
		whole = append(whole, make([]byte, s.padding)...)
	}
	captured = whole
	// The others are as they are.
	//exhaustive:ignore
	switch s.form {
	case shortened:
		captured = whole[:len(whole)-s.missing()]
	case beheaded:
		captured = whole[:len(whole)-len(segment)+s.cut()]
	}
	return captured, len(whole)
}

// segment returns what stands behind the IP header, extension headers included.
func (s *sent) segment() []byte {
	var b []byte
	switch s.proto {
	case tcp:
		b = slices.Concat(be(s.from, s.to), binary.BigEndian.AppendUint32(nil, s.sequence),
			[]byte{0, 0, 0, 0, 0x50, s.flags, 0xff, 0xff, 0, 0, 0, 0}, []byte(s.payload))
		s.sum(b, 16)
	case udp:
		b = slices.Concat(be(s.from, s.to, uint16(8+len(s.payload)), 0), []byte(s.payload))
		s.sum(b, 6)
	default:
		b = slices.Concat([]byte{8, 0, 0, 0, 0, 0, 0, 0}, []byte(s.payload))
	}
	if s.source.Is6() {
		next, offset := byte(s.next()), uint16(0)
		// The others are as they are.
		//exhaustive:ignore
		switch s.form {
		case fragment:
			offset = 1 // more follow
		case remainder:
			offset = 8
		case unbroken:
		default:
			return b
		}
		b = slices.Concat([]byte{next, 0}, be(offset), []byte{0, 0, 0, 1}, b)
	}
	return b
}

func (s *sent) next() int {
	if s.proto == icmp4 && s.source.Is6() {
		return icmp6
	}
	return int(s.proto)
}

// sum writes the checksum of a segment, or a wrong one.
func (s *sent) sum(b []byte, at int) {
	pseudo := slices.Concat(s.source.AsSlice(), s.dest.AsSlice(), be(uint16(len(b)), uint16(s.proto)))
	total := checksum(slices.Concat(pseudo, b))
	if s.form == wrongSum {
		// A capture may have zero, or the sum of the addresses alone: the card fills those in.
		unfilled := ^checksum(pseudo)
		for total ^= 0x5555; total == 0 || total == unfilled; total++ {
		}
	}
	binary.BigEndian.PutUint16(b[at:], total)
}

// checksum returns the Internet checksum of data (RFC 1071).
func checksum(data []byte) uint16 {
	total := 0
	for i, b := range data {
		total += int(b) << (8 * (1 - i%2))
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	if total == 0xffff {
		return 0xffff
	}
	return ^uint16(total)
}

// header returns the IP header in front of size bytes.
func (s *sent) header(size int) []byte {
	if s.source.Is6() {
		next := byte(s.next())
		if s.form == fragment || s.form == remainder || s.form == unbroken {
			next = 44
		}
		return slices.Concat([]byte{0x60, 0, 0, 0}, be(uint16(size)), []byte{next, s.hops}, s.source.AsSlice(), s.dest.AsSlice())
	}
	offset := uint16(0)
	// The others are as they are.
	//exhaustive:ignore
	switch s.form {
	case fragment:
		offset = 0x2000
	case remainder:
		offset = 3
	default:
		if s.id == 0 && !s.loose {
			offset = 0x4000
		}
	}
	b := slices.Concat([]byte{0x45, 0}, be(uint16(20+size), s.id, offset), []byte{s.hops, s.proto, 0, 0}, s.source.AsSlice(), s.dest.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return b
}
