// Package craft turns knocks into frames of a capture.
//
// Its frames are those that an ordinary client sends, with right checksums. They pass the filter
// and the decoder as any others do, so nothing else needs to know that nobody sent them.
package craft

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"sesame/daemon/packet"
)

// MaxPayload is the longest payload of a packet, in bytes: with the headers of IPv4 and TCP it
// fills the 16 bits of a length (RFC 791, section 3.1).
const MaxPayload = 65535 - header4 - headerTCP

// Lengths of headers without options, in bytes.
const (
	header4, headerTCP, headerUDP = 20, 20, 8

	ethernetLength = 14
)

// A Packet is a TCP segment or a UDP datagram.
type Packet struct {
	Source, Dest netip.Addr // of the same family
	SourcePort   uint16
	Port         packet.Port
	Flags        packet.Flags // of TCP
	Sequence     uint32       // of TCP
	Payload      []byte
}

// Frame returns the packet as a frame of a link: [packet.Ethernet] or [packet.Raw]. It fails when
// the packet cannot exist: two families, a zone, neither TCP nor UDP, or more than [MaxPayload]
// bytes.
func (p *Packet) Frame(link packet.LinkType) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var frame []byte
	// Captures are made of these two alone.
	//exhaustive:ignore
	switch link {
	case packet.Ethernet:
		frame = append(make([]byte, 0, ethernetLength+60+len(p.Payload)), 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9)
		if p.Source.Is4() {
			frame = append(frame, 0x08, 0x00)
		} else {
			frame = append(frame, 0x86, 0xdd)
		}
	case packet.Raw:
		frame = make([]byte, 0, 60+len(p.Payload))
	default:
		return nil, fmt.Errorf("frames of %v cannot be made: expected Ethernet or raw IP", link)
	}
	ip := len(frame)
	frame = p.segment(p.header(frame))
	packet.FillChecksums(frame[ip:])
	return frame, nil
}

func (p *Packet) check() error {
	switch {
	case !p.Source.IsValid() || !p.Dest.IsValid() || p.Source.Is4() != p.Dest.Is4():
		return fmt.Errorf("a packet from %v to %v: expected two addresses of IPv4, or two of IPv6", p.Source, p.Dest)
	case p.Source.Zone() != "" || p.Dest.Zone() != "" || p.Source.Is4In6() || p.Dest.Is4In6():
		return fmt.Errorf("a packet from %v to %v: expected addresses without a zone and without ::ffff: before one of IPv4", p.Source, p.Dest)
	case p.Port.Proto != packet.TCP && p.Port.Proto != packet.UDP:
		return fmt.Errorf("a packet to %v: expected TCP or UDP", p.Port)
	case len(p.Payload) > MaxPayload:
		return fmt.Errorf("a payload of %d bytes: expected %d at most", len(p.Payload), MaxPayload)
	}
	return nil
}

// header appends the header of IPv4 (RFC 791, section 3.1) or IPv6 (RFC 8200, section 3).
func (p *Packet) header(b []byte) []byte {
	// The numbers of the protocols, as IANA assigns them.
	protocol, length := byte(6), headerTCP+len(p.Payload)
	if p.Port.Proto == packet.UDP {
		protocol, length = 17, headerUDP+len(p.Payload)
	}
	if p.Source.Is4() {
		b = binary.BigEndian.AppendUint16(append(b, 0x45, 0), uint16(header4+length))
		// No identification, and "don't fragment", as Linux sends. So two equal datagrams are two.
		b = append(b, 0, 0, 0x40, 0, 64, protocol, 0, 0)
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x60, 0, 0, 0), uint16(length))
		b = append(b, protocol, 64)
	}
	return append(append(b, p.Source.AsSlice()...), p.Dest.AsSlice()...)
}

// segment appends the TCP segment (RFC 9293, section 3.1) or the UDP datagram (RFC 768).
func (p *Packet) segment(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, p.SourcePort)
	b = binary.BigEndian.AppendUint16(b, p.Port.Number)
	if p.Port.Proto == packet.UDP {
		b = binary.BigEndian.AppendUint16(b, uint16(headerUDP+len(p.Payload)))
		return append(append(b, 0, 0), p.Payload...)
	}
	b = binary.BigEndian.AppendUint32(b, p.Sequence)
	b = append(b, 0, 0, 0, 0, headerTCP/4<<4, byte(p.Flags), 0xff, 0xff, 0, 0, 0, 0)
	return append(b, p.Payload...)
}
