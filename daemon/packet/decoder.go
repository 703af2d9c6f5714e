package packet

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

const (
	tcpHeader  = 20 // without options
	udpHeader  = 8
	icmpHeader = 8 // of every message that RFC 792 and RFC 4443 define

	protocolTCP = uint32(layers.IPProtocolTCP)
	protocolUDP = uint32(layers.IPProtocolUDP)
)

// A Decoder turns frames into packets. It reuses the memory of its layers for each frame, so it is
// not safe for concurrent use. Decoding allocates nothing, except for an error in gopacket when a
// frame is malformed.
type Decoder struct {
	ip4 ipv4
	ip6 ipv6
	tcp layers.TCP
	udp layers.UDP

	parse4, parse6 *gopacket.DecodingLayerParser
	decoded        []gopacket.LayerType
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder {
	d := &Decoder{decoded: make([]gopacket.LayerType, 0, 4)}
	d.parse4 = parser(layers.LayerTypeIPv4, &d.ip4, &d.tcp, &d.udp)
	d.parse6 = parser(layers.LayerTypeIPv6, &d.ip6, &d.tcp, &d.udp)
	return d
}

// parser returns a parser of gopacket. It stops without an error at a layer that it does not know,
// such as ICMP, whose header transportICMP skips. It turns a panic in a layer into an error.
func parser(first gopacket.LayerType, all ...gopacket.DecodingLayer) *gopacket.DecodingLayerParser {
	var container gopacket.DecodingLayerContainer = gopacket.DecodingLayerArray(nil)
	for _, layer := range all {
		container = container.Put(layer)
	}
	p := gopacket.NewDecodingLayerParser(first)
	p.SetDecodingLayerContainer(container)
	p.IgnoreUnsupported = true
	return p
}

// Decode decodes a frame of a capture file, of which nothing more is known, as
// [Decoder.DecodeReceived] does.
func (d *Decoder) Decode(link LinkType, data []byte, wire int, p *Packet) Drop {
	return d.DecodeReceived(link, data, wire, 0, p)
}

// DecodeReceived decodes a frame into p. Data holds the captured bytes, wire is the length of the
// frame on the wire, and r is what is known beside them. The result is NotDropped, or the reason
// why the frame is no packet for Sesame; p is then undefined.
//
// A packet that cannot be honest is Malformed: see impossible.go, and checksum.go for checksums. A
// checksum cannot be verified when the capture holds only a part of the packet, and then counts as
// right.
func (d *Decoder) DecodeReceived(link LinkType, data []byte, wire int, r Reception, p *Packet) Drop {
	looped, known := r.place(link, data)
	p.Loopback, p.Vouched = looped, r&Vouched != 0
	etherType, offset := link.Network(data)
	wire = max(wire, len(data))
	if offset > len(data) {
		return short(offset, len(data), wire)
	}
	data, wire = data[offset:], wire-offset
	switch etherType {
	case EtherTypeIPv4:
		return d.decode4(data, wire, r, known, p)
	case EtherTypeIPv6:
		return d.decode6(data, wire, r, known, p)
	}
	return NotIP
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
	err := d.parse4.DecodeLayers(data, &d.decoded)
	if len(d.decoded) == 0 {
		return short(d.ip4.headerLength(data), len(data), wire)
	}
	ip := &d.ip4
	// gopacket takes a length of 0 for the length of the frame, as in packets that the network card
	// will segment. Only sent packets look so; no host accepts one.
	if length := int(binary.BigEndian.Uint16(data[2:])); length == 0 || length > wire {
		return Malformed
	}
	if ip.fragment() {
		return Fragment
	}
	p.Source = netip.AddrFrom4([4]byte(ip.SrcIP))
	p.Dest = netip.AddrFrom4([4]byte(ip.DstIP))
	header := data[:len(ip.Contents)]
	if r&Judged == 0 && (ip.TTL == 0 || sourceRouted(header[ipv4Header:]) || !headerSumRight(header, r) ||
		!possible(p.Source, p.Dest, p.Loopback, placed)) {
		return Malformed
	}
	drop := d.transport(ip.NextLayerType(), ip.Payload, int(ip.Length)-len(ip.Contents), err, p)
	if drop == NotDropped && !d.segmentRight(data[12:20], ip.Payload, r, p) {
		return Malformed
	}
	return drop
}

func (d *Decoder) decode6(data []byte, wire int, r Reception, placed bool, p *Packet) Drop {
	err := d.parse6.DecodeLayers(data, &d.decoded)
	ip := &d.ip6
	if len(d.decoded) == 0 {
		return d.fault6(len(data), wire)
	}
	if ip.length > wire {
		return Malformed
	}
	if ip.fragment {
		return Fragment
	}
	p.Source = netip.AddrFrom16([16]byte(data[8:]))
	p.Dest = netip.AddrFrom16([16]byte(data[24:]))
	if p.Source.Is4In6() || p.Dest.Is4In6() {
		return Malformed // never on a wire (RFC 4291, section 2.5.5.2), and must not match an IPv4 source
	}
	if r&Judged == 0 && (data[7] == 0 || ip.sourceRoute || !possible(p.Source, p.Dest, p.Loopback, placed)) {
		return Malformed
	}
	drop := d.transport(ip.NextLayerType(), ip.Payload, ip.length-ip.need, err, p)
	if drop == NotDropped && !d.segmentRight(data[8:ipv6Header], ip.Payload, r, p) {
		return Malformed
	}
	return drop
}

// fault6 returns the drop for an IPv6 packet whose headers cannot be read. Extension headers must
// end within the length in the first header.
func (d *Decoder) fault6(have, wire int) Drop {
	if d.ip6.length > 0 {
		wire = min(wire, d.ip6.length)
	}
	return short(d.ip6.need, have, wire)
}

// transport decodes the data after the IP headers. Segment holds the captured bytes, and length is
// the number of bytes according to the IP header.
func (d *Decoder) transport(kind gopacket.LayerType, segment []byte, length int, err error, p *Packet) Drop {
	switch kind {
	case layers.LayerTypeTCP:
		return d.transportTCP(segment, length, err, p)
	case layers.LayerTypeUDP:
		return d.transportUDP(segment, length, err, p)
	case layers.LayerTypeICMPv4, layers.LayerTypeICMPv6:
		return transportICMP(segment, length, p)
	}
	return OtherProtocol
}

// segmentRight reports whether the checksum of a segment is right, as far as that can and need be
// known. Addresses are those of its IP header. ICMP is never a knock.
func (d *Decoder) segmentRight(addresses, segment []byte, r Reception, p *Packet) bool {
	switch {
	case r&Judged != 0 || p.Cut || p.Port.Proto == ICMP:
		return true
	case p.Port.Proto == TCP:
		return r&Vouched != 0 || segmentSumRight(addresses, segment, protocolTCP, tcpSum, r)
	case d.udp.Checksum == 0 && len(addresses) == 8:
		return true // there is none (RFC 768); over IPv6 there must be one (RFC 8200, section 8.1)
	case r&Vouched != 0 && d.udp.Checksum != 0:
		return true
	}
	return segmentSumRight(addresses, segment[:d.udp.Length], protocolUDP, udpSum, r)
}

func (d *Decoder) transportTCP(segment []byte, length int, err error, p *Packet) Drop {
	need := tcpHeader
	if len(segment) >= tcpHeader {
		need = int(segment[12]>>4) * 4
	}
	if err != nil || len(segment) < need {
		return short(need, len(segment), length)
	}
	p.SourcePort = uint16(d.tcp.SrcPort)
	p.Port = Port{TCP, uint16(d.tcp.DstPort)}
	p.Flags = Flags(d.tcp.Contents[13])
	p.Sequence = d.tcp.Seq
	p.Payload = d.tcp.Payload
	p.Cut = len(segment) < length
	return NotDropped
}

func (d *Decoder) transportUDP(segment []byte, length int, err error, p *Packet) Drop {
	if err != nil || len(segment) < udpHeader {
		return short(udpHeader, len(segment), length)
	}
	// A length of 0 means a jumbogram (RFC 2675), which is never a knock.
	datagram := int(d.udp.Length)
	if datagram < udpHeader || datagram > length {
		return Malformed
	}
	p.SourcePort = uint16(d.udp.SrcPort)
	p.Port = Port{UDP, uint16(d.udp.DstPort)}
	p.Flags, p.Sequence = 0, 0
	p.Payload = d.udp.Payload
	p.Cut = len(segment) < datagram
	return NotDropped
}

func transportICMP(segment []byte, length int, p *Packet) Drop {
	if len(segment) < icmpHeader {
		return short(icmpHeader, len(segment), length)
	}
	p.SourcePort, p.Port = 0, Port{Proto: ICMP}
	p.Flags, p.Sequence = 0, 0
	p.Payload = segment[icmpHeader:]
	p.Cut = len(segment) < length
	return NotDropped
}
