package packet

import "net/netip"

// A Decoder turns frames into packets. It is not safe for concurrent use. Decoding allocates
// nothing.
type Decoder struct {
	ip      header           // of the packet that is decoded
	header  [ipv4Header]byte // for its digest
	carried Kind
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Carried returns the kind of what the last frame carried. It is for frames that were dropped as
// [NotIP].
func (d *Decoder) Carried() Kind { return d.carried }

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
	wire = max(wire, len(data))
	if offset > len(data) {
		return short(offset, len(data), wire)
	}
	drop := NotIP
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
	p.LinkDigest, p.Interface = link.identity(data[:offset]), link.iface(data)
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
	ip := &d.ip
	readable := ip.read4(data)
	if ip.addressed {
		p.Source, p.Dest = netip.AddrFrom4([4]byte(data[12:])), netip.AddrFrom4([4]byte(data[16:]))
		p.ID = ip.id
	}
	if !readable {
		return short(ip.size, len(data), wire)
	}
	data = data[:min(ip.length, len(data))]
	segment := data[ip.size:]
	kind := ip.transport4()
	p.peek(kind, ip.later, segment)
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
	drop := p.transport(kind, segment, ip.length-ip.size)
	if drop == NotDropped && !segmentRight(data[12:20], segment, r, p) {
		return Malformed
	}
	if drop == NotDropped {
		p.Digest = d.digest4(data)
	}
	return drop
}

func (d *Decoder) decode6(data []byte, wire int, r Reception, placed bool, p *Packet) Drop {
	ip := &d.ip
	readable := ip.read6(data)
	if ip.addressed {
		p.Source, p.Dest = netip.AddrFrom16([16]byte(data[8:])), netip.AddrFrom16([16]byte(data[24:]))
	}
	if !readable {
		// Extension headers must end within the length in the first header.
		if ip.length > 0 {
			wire = min(wire, ip.length)
		}
		return short(ip.size, len(data), wire)
	}
	data = data[:min(ip.length, len(data))]
	segment := data[ip.size:]
	kind := ip.transport6()
	p.peek(kind, ip.later, segment)
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
	drop := p.transport(kind, segment, ip.length-ip.size)
	if drop == NotDropped && !segmentRight(data[8:ipv6Header], segment, r, p) {
		return Malformed
	}
	if drop == NotDropped {
		p.Digest = d.digest6(data)
	}
	return drop
}
