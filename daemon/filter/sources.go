package filter

import (
	"net/netip"

	"sesame/daemon/packet"
)

// Sources tests whether a frame is from one of some addresses. It reads raw bytes, as a [Filter]
// does. It is immutable, and safe for concurrent use.
//
// Unlike a Filter it passes nothing that it cannot read: a frame without a whole source address has
// no source that was chosen.
type Sources struct {
	v4 map[[4]byte]struct{}
	v6 map[[16]byte]struct{}
	// ends has the last 16 bits of each address. They reject most frames, and cost less than a map.
	ends    ports
	tunnels packet.Tunnels
}

// NewSources returns the test for some addresses. An IPv4 address also stands for its IPv4-mapped
// form, and the other way round.
func NewSources(addresses []netip.Addr) *Sources {
	s := &Sources{v4: map[[4]byte]struct{}{}, v6: map[[16]byte]struct{}{}}
	for _, a := range addresses {
		if !a.IsValid() {
			continue
		}
		long := a.As16()
		if s.v6[long] = struct{}{}; a.Unmap().Is4() {
			s.v4[a.Unmap().As4()] = struct{}{}
		}
		s.ends.add(end(long[12:]))
	}
	return s
}

// Through returns the test of the innermost packets, as [Filter.Through] does.
func (s *Sources) Through(t packet.Tunnels) *Sources {
	through := *s
	through.tunnels = t
	return &through
}

// end returns the last 16 bits of the 4 bytes of an IPv4 address, or of the last 4 of an IPv6
// address.
func end(address []byte) uint16 { return uint16(address[2])<<8 | uint16(address[3]) }

// Match reports whether the frame carries an IP packet from one of the addresses.
func (s *Sources) Match(link packet.LinkType, frame []byte) bool {
	carries, offset := link.Network(frame)
	if carries, offset = s.tunnels.Strip(carries, frame, offset); offset > len(frame) {
		return false
	}
	ip := frame[offset:]
	switch {
	case carries == packet.EtherTypeIPv4 && len(ip) >= 20 && ip[0]>>4 == 4:
		if !s.ends.has(end(ip[12:])) {
			return false
		}
		_, chosen := s.v4[[4]byte(ip[12:])]
		return chosen
	case carries == packet.EtherTypeIPv6 && len(ip) >= ipv6Header && ip[0]>>4 == 6:
		if !s.ends.has(end(ip[20:])) {
			return false
		}
		_, chosen := s.v6[[16]byte(ip[8:])]
		return chosen
	}
	return false
}
