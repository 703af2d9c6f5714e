package packet

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/gopacket"
)

// A Decoder turns frames into packets. It reuses the memory of its layers for each frame, so it is
// not safe for concurrent use. Decoding allocates nothing.
type Decoder struct {
	ip4, ip6       ip
	segment        segment
	parse4, parse6 *gopacket.DecodingLayerParser
	decoded        []gopacket.LayerType

	tunnels Tunnels
	header  [ipv4Header]byte // for the digest
	carried Kind
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder {
	d := &Decoder{
		decoded: make([]gopacket.LayerType, 0, 2),
		ip4:     ip{read: (*header).read4, kind: (*header).transport4, self: layerIPv4},
		ip6:     ip{read: (*header).read6, kind: (*header).transport6, self: layerIPv6},
	}
	d.parse4, d.parse6 = parser(&d.ip4, &d.segment), parser(&d.ip6, &d.segment)
	return d
}

// parse drives the layers over a packet. Each layer says itself whether it could be read, so the
// error tells nothing new.
func (d *Decoder) parse(p *gopacket.DecodingLayerParser, data []byte) {
	d.segment = segment{}
	_ = p.DecodeLayers(data, &d.decoded)
}

// Through makes the decoder look into tunnels: it decodes the innermost packet of a frame.
func (d *Decoder) Through(t Tunnels) { d.tunnels = t }

// Carried returns the kind of what the last frame carried. It is for frames that were dropped as
// [NotIP].
func (d *Decoder) Carried() Kind { return d.carried }

// Tunnel returns the name, as [ParseTunnels] takes it, of the tunnel in the last frame when the
// decoder was not told to look into such tunnels; "" if it is none. It is for frames that were
// dropped as [OtherProtocol].
func (d *Decoder) Tunnel() string {
	ip, tunnel := &d.ip4, Tunnels(0)
	if d.carried == EtherTypeIPv6 {
		ip = &d.ip6
	}
	switch ip.protocol {
	case protocolIPIP, protocolIPv6:
		tunnel = IPIP
	case protocolGRE:
		tunnel = GRE
		if len(ip.segment) >= greHeader {
			if carries := binary.BigEndian.Uint16(ip.segment[2:]); carries == etherTypeERSPAN || carries == etherTypeERSPAN3 {
				tunnel = ERSPAN
			}
		}
	}
	for _, t := range tunnelNames {
		if t.tunnel == tunnel&^d.tunnels {
			return t.name
		}
	}
	return ""
}

// Decode decodes a frame of a capture file, of which nothing more is known, as
// [Decoder.DecodeReceived] does.
func (d *Decoder) Decode(link LinkType, data []byte, wire int, p *Packet) Drop {
	return d.DecodeReceived(link, data, wire, 0, p)
}

// DecodeReceived decodes a frame into p. Data holds the captured bytes, wire is the length of the
// frame on the wire, and r is what is known beside them. The result is NotDropped, or the reason
// why the frame is no packet for Sesame.
//
// Of a dropped packet, p has what could be read: Source, Dest and ID, then Port.Proto, then
// SourcePort and Port, then Flags and Sequence. The rest is zero. A Malformed packet may have any
// address, also an IPv4-mapped one.
//
// A packet that cannot be honest is Malformed: see impossible.go, and checksum.go for checksums. A
// checksum cannot be verified when the capture holds only a part of the packet, and then counts as
// right.
func (d *Decoder) DecodeReceived(link LinkType, data []byte, wire int, r Reception, p *Packet) Drop {
	p.clear()
	looped, known := r.place(link, data)
	p.Loopback, p.Vouched = looped, r&Vouched != 0
	carries, offset := link.Network(data)
	outer, head := carries, offset
	if d.tunnels != 0 {
		carries, offset = d.tunnels.Strip(carries, data, offset)
	}
	wire = max(wire, len(data))
	if offset > len(data) {
		return short(offset, len(data), wire)
	}
	drop := NotIP
	// Other kinds are handled alike.
	//exhaustive:ignore
	switch d.carried = carries; carries {
	case EtherTypeIPv4:
		drop = d.decode4(data[offset:], wire-offset, r, known, p)
	case EtherTypeIPv6:
		drop = d.decode6(data[offset:], wire-offset, r, known, p)
	}
	if drop != NotDropped {
		p.Payload, p.Cut = nil, false
		return drop
	}
	p.LinkDigest, p.Interface = link.identity(data[:head]), link.iface(data)
	if offset > head {
		p.LinkDigest = d.tunnels.identity(p.LinkDigest, outer, data, head, offset)
	}
	return NotDropped
}

// short returns the drop for a header of need bytes that cannot be read. It is Truncated if the
// packet had enough bytes on the wire and the capture does not hold them. Otherwise the packet is
// Malformed.
func short(need, have, wire int) Drop {
	if have < need && need <= wire {
		return Truncated
	}
	return Malformed
}

func (d *Decoder) decode4(data []byte, wire int, r Reception, placed bool, p *Packet) Drop {
	ip := &d.ip4
	d.parse(d.parse4, data)
	if ip.addressed {
		p.Source, p.Dest = netip.AddrFrom4([4]byte(data[12:])), netip.AddrFrom4([4]byte(data[16:]))
		p.ID, p.MayFragment = ip.id, ip.mayFragment
	}
	if !ip.readable {
		return short(ip.size, len(data), wire)
	}
	p.begin(ip.transport4(), &d.segment)
	// A length of 0 is that of a packet which the network card will segment. Only sent packets look
	// so; no host accepts one.
	if ip.length > wire {
		return Malformed
	}
	if ip.fragment {
		return Fragment
	}
	if r&Judged == 0 && (data[8] == 0 || sourceRouted(data[ipv4Header:ip.size]) || !headerSumRight(data[:ip.size], r) ||
		!possible(p.Source, p.Dest, p.Loopback, placed)) {
		return Malformed
	}
	drop := p.complete(&d.segment, len(ip.segment), ip.length-ip.size)
	if drop == NotDropped && !p.sumRight(&d.segment, data[12:20], ip.segment, r) {
		return Malformed
	}
	if drop == NotDropped {
		p.Digest = d.digest4(data[:min(ip.length, len(data))])
	}
	return drop
}

func (d *Decoder) decode6(data []byte, wire int, r Reception, placed bool, p *Packet) Drop {
	ip := &d.ip6
	d.parse(d.parse6, data)
	if ip.addressed {
		p.Source, p.Dest = netip.AddrFrom16([16]byte(data[8:])), netip.AddrFrom16([16]byte(data[24:]))
	}
	if !ip.readable {
		// Extension headers must end within the length in the first header.
		if ip.length > 0 {
			wire = min(wire, ip.length)
		}
		return short(ip.size, len(data), wire)
	}
	p.begin(ip.transport6(), &d.segment)
	if ip.length > wire {
		return Malformed
	}
	if ip.fragment {
		return Fragment
	}
	if p.Source.Is4In6() || p.Dest.Is4In6() {
		return Malformed // never on a wire (RFC 4291, section 2.5.5.2), and must not match an IPv4 source
	}
	if r&Judged == 0 && (data[7] == 0 || ip.sourceRoute || !possible(p.Source, p.Dest, p.Loopback, placed)) {
		return Malformed
	}
	drop := p.complete(&d.segment, len(ip.segment), ip.length-ip.size)
	if drop == NotDropped && !p.sumRight(&d.segment, data[8:ipv6Header], ip.segment, r) {
		return Malformed
	}
	if drop == NotDropped {
		p.Digest = d.digest6(data[:min(ip.length, len(data))])
	}
	return drop
}
