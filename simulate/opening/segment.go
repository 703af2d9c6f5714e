package opening

import (
	"encoding/binary"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A segment is the packet of one knock.
type segment struct {
	source, dest netip.Addr
	sourcePort   uint16
	number       uint32 // of the packet, from 1; it makes the sequence number, so no two look like a retransmit
	knock        engine.Knock
}

// record appends the packet with its header in a pcap file.
func (s *segment) record(file []byte, at time.Time) []byte {
	frame := s.frame()
	for _, n := range []uint32{uint32(at.Unix()), uint32(at.Nanosecond() / 1000), uint32(len(frame)), uint32(len(frame))} {
		file = binary.LittleEndian.AppendUint32(file, n)
	}
	return append(file, frame...)
}

// frame returns an IP packet with TCP or UDP, with valid checksums for other programs.
func (s *segment) frame() []byte {
	proto, body, sum := byte(6), s.tcp(), 16
	if s.knock.Port.Proto == packet.UDP {
		proto, body, sum = 17, s.udp(), 6
	}
	pseudo := append(s.source.AsSlice(), s.dest.AsSlice()...)
	pseudo = append(pseudo, 0, proto)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(body)))
	binary.BigEndian.PutUint16(body[sum:], checksum(pseudo, body))
	var header []byte
	if s.source.Is4() {
		header = append(header, 0x45, 0)
		header = binary.BigEndian.AppendUint16(header, uint16(20+len(body)))
		header = append(header, 0, 0, 0x40, 0, 64, proto, 0, 0) // flag: don't fragment
	} else {
		header = append(header, 0x60, 0, 0, 0)
		header = binary.BigEndian.AppendUint16(header, uint16(len(body)))
		header = append(header, proto, 64)
	}
	header = append(append(header, s.source.AsSlice()...), s.dest.AsSlice()...)
	if s.source.Is4() {
		binary.BigEndian.PutUint16(header[10:], checksum(header))
	}
	return append(header, body...)
}

func (s *segment) tcp() []byte {
	b := binary.BigEndian.AppendUint16(nil, s.sourcePort)
	b = binary.BigEndian.AppendUint16(b, s.knock.Port.Number)
	b = binary.BigEndian.AppendUint32(b, 1000*s.number)
	return append(b, 0, 0, 0, 0, 0x50, byte(flags(s.knock.Flags)), 0xff, 0xff, 0, 0, 0, 0)
}

// udp returns a datagram of one byte, since some networks drop empty datagrams.
func (s *segment) udp() []byte {
	b := binary.BigEndian.AppendUint16(nil, s.sourcePort)
	b = binary.BigEndian.AppendUint16(b, s.knock.Port.Number)
	return append(b, 0, 9, 0, 0, 0)
}

// flags returns the flags of a packet that passes a test: SYN if the test allows it.
func flags(test engine.FlagTest) packet.Flags {
	if test.Set == 0 && test.Clear&packet.SYN == 0 {
		return packet.SYN
	}
	return test.Set
}

// checksum returns the Internet checksum (RFC 1071) of the parts together.
func checksum(parts ...[]byte) uint16 {
	sum := uint32(0)
	for _, part := range parts {
		for i, c := range part {
			sum += uint32(c) << (8 * (1 - i%2))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
