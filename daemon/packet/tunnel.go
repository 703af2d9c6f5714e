package packet

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Tunnels is a set of kinds of tunnels into which a decoder looks. A capture of a mirror port, or
// of a host between two ends of a tunnel, has the packets of interest inside others.
//
// It is for captures alone. The kernel delivers the packets of a tunnel that ends on this host from
// the interface of the tunnel.
type Tunnels uint8

// The tunnels.
const (
	GRE    Tunnels = 1 << iota // RFC 2784 and 2890, version 0, with a packet or an Ethernet frame inside
	VXLAN                      // RFC 7348, at the ports of IANA and of Linux
	ERSPAN                     // the mirror ports of Cisco: types I, II and III (draft-foschiano-erspan)
	IPIP                       // IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, 2473 and 4213)
	Geneve                     // RFC 8926
)

var tunnelNames = []struct {
	name   string
	tunnel Tunnels
}{{"gre", GRE}, {"vxlan", VXLAN}, {"erspan", ERSPAN}, {"ipip", IPIP}, {"geneve", Geneve}}

// ParseTunnels returns the tunnels with these names.
func ParseTunnels(names []string) (Tunnels, error) {
	var all Tunnels
	for _, name := range names {
		found := false
		for _, t := range tunnelNames {
			if strings.EqualFold(t.name, strings.TrimSpace(name)) {
				found, all = true, all|t.tunnel
			}
		}
		if !found {
			return 0, fmt.Errorf("%q is no tunnel that Sesame looks into: expected gre, vxlan, erspan, ipip or geneve", name)
		}
	}
	return all, nil
}

const (
	// deepest is how many tunnels within each other are looked into. A deeper one is decoded as the
	// outer packet that it is.
	deepest = 8

	protocolIPIP = 4
	protocolIPv6 = 41
	protocolGRE  = 47

	greHeader   = 4
	greChecksum = 0x8000 // flags: each is for a field of 4 bytes, in this order
	greKey      = 0x2000
	greSequence = 0x1000

	erspanHeader   = 8
	erspanHeader3  = 12
	erspanPlatform = 8
	vxlanHeader    = 8
	geneveHeader   = 8

	etherTypeERSPAN  = 0x88be
	etherTypeERSPAN3 = 0x22eb

	portVXLAN      = 4789
	portVXLANLinux = 8472 // the default of Linux, older than the number of IANA
	portGeneve     = 6081
)

// Strip steps over tunnels. A frame carries a packet at offset, as [LinkType.Network] says. Strip
// returns the same of the innermost packet. An offset beyond the frame means that the frame ends
// within the header of a tunnel. A fragment is not looked into, and neither is a packet with a
// header that cannot be read. The checksums of outer packets are not looked at.
func (t Tunnels) Strip(carries Kind, frame []byte, offset int) (Kind, int) {
	for range deepest {
		if t == 0 || offset > len(frame) {
			return carries, offset
		}
		_, inner, size := t.enter(carries, frame[offset:])
		if size < 0 {
			return carries, offset
		}
		carries, offset = inner, offset+size
	}
	return carries, offset
}

// enter reads the headers of one tunnel, which begin with an IP header. It returns that, the kind
// of what the tunnel carries and the offset of that; -1: it is no tunnel of the set.
func (t Tunnels) enter(carries Kind, data []byte) (h header, inner Kind, size int) {
	readable := false
	// Other kinds are handled alike.
	//exhaustive:ignore
	switch carries {
	case EtherTypeIPv4:
		readable = h.read4(data)
	case EtherTypeIPv6:
		readable = h.read6(data)
	}
	if !readable || h.fragment {
		return h, 0, -1
	}
	inner, size = t.inside(h.protocol, data[h.size:min(h.length, len(data))])
	if size >= 0 {
		size += h.size
	}
	return h, inner, size
}

// identity returns the digest of all headers of the tunnels that Strip stepped over, from offset to
// end. It begins with the digest of the link header. So copies of one packet by two mirror sessions
// are known as copies: see [Packet.LinkDigest].
func (t Tunnels) identity(link uint64, carries Kind, frame []byte, offset, end int) uint64 {
	sum := hash{uint32(link >> 32), uint32(link)}
	for offset < end {
		data := frame[offset:]
		h, inner, size := t.enter(carries, data)
		if size < 0 {
			break
		}
		if carries == EtherTypeIPv4 {
			sum.write(data[12:ipv4Header])
		} else {
			sum.write(data[8:ipv6Header])
		}
		sum.tunnel(h.protocol, data[h.size:size])
		carries, offset = inner, offset+size
	}
	return sum.sum()
}

// tunnel adds the header of a tunnel behind an IP header, without what differs between two packets
// on the same way: checksums, sequence numbers, times and source ports.
func (h *hash) tunnel(protocol uint8, header []byte) {
	switch protocol {
	case protocolUDP:
		header = header[udpHeader:]
	case protocolGRE:
		flags, carries := binary.BigEndian.Uint16(header), binary.BigEndian.Uint16(header[2:])
		h.write(header[:greHeader])
		header = header[greHeader:]
		if flags&greChecksum != 0 {
			header = header[4:]
		}
		if flags&greKey != 0 {
			h.write(header[:4])
			header = header[4:]
		}
		if flags&greSequence != 0 {
			header = header[4:]
		}
		if carries == etherTypeERSPAN3 {
			h.write(header[:4])
			h.write(header[8:erspanHeader3])
			size := erspanHeader3
			if header[11]&1 != 0 {
				size += erspanPlatform
			}
			header = header[size:]
		}
	}
	h.write(header)
}

// inside reads the header of a tunnel after an IP header. It returns the kind of what the tunnel
// carries, and the offset of that in the segment; -1: it is no tunnel of the set.
func (t Tunnels) inside(protocol uint8, segment []byte) (Kind, int) {
	switch {
	case protocol == protocolIPIP && t&IPIP != 0:
		return EtherTypeIPv4, 0
	case protocol == protocolIPv6 && t&IPIP != 0:
		return EtherTypeIPv6, 0
	case protocol == protocolGRE && t&(GRE|ERSPAN) != 0:
		return t.gre(segment)
	case protocol == protocolUDP && t&(VXLAN|Geneve) != 0 && len(segment) >= udpHeader:
		switch port := binary.BigEndian.Uint16(segment[2:]); {
		case (port == portVXLAN || port == portVXLANLinux) && t&VXLAN != 0:
			return within(udpHeader, segment, vxlan)
		case port == portGeneve && t&Geneve != 0:
			return within(udpHeader, segment, geneve)
		}
	}
	return 0, -1
}

// within reads what begins at offset n of data. A negative result of read stays one.
func within(n int, data []byte, read func([]byte) (Kind, int)) (Kind, int) {
	if len(data) < n {
		return 0, n
	}
	kind, size := read(data[n:])
	if size < 0 {
		return 0, -1
	}
	return kind, n + size
}

// gre reads a GRE header of version 0. The routing of RFC 1701 is not read: nobody uses it.
func (t Tunnels) gre(data []byte) (Kind, int) {
	const routing, version = 0x4000, 7
	if len(data) < greHeader {
		return 0, greHeader
	}
	flags, protocol := binary.BigEndian.Uint16(data), Kind(binary.BigEndian.Uint16(data[2:]))
	if flags&(routing|version) != 0 {
		return 0, -1
	}
	size := greHeader
	for _, flag := range []uint16{greChecksum, greKey, greSequence} {
		if flags&flag != 0 {
			size += 4
		}
	}
	switch {
	case protocol == etherTypeERSPAN && t&ERSPAN != 0:
		if flags&greSequence != 0 { // type I has neither a sequence number nor a header
			size += erspanHeader
		}
		return within(size, data, ethernetFrame)
	case protocol == etherTypeERSPAN3 && t&ERSPAN != 0:
		return within(size, data, erspan3)
	case t&GRE == 0:
		return 0, -1
	}
	return within(size, data, func(inner []byte) (Kind, int) { return protocolOf(protocol, inner) })
}

// protocolOf reads what an EtherType in the header of a tunnel announces.
func protocolOf(etherType Kind, data []byte) (Kind, int) {
	if etherType == etherTypeBridged {
		return ethernetFrame(data)
	}
	return unwrap(etherType, data)
}

// erspan3 reads the header of ERSPAN type III, and the platform specific part that may follow.
func erspan3(data []byte) (Kind, int) {
	const frameTypeIP = 2
	if len(data) < erspanHeader3 {
		return 0, erspanHeader3
	}
	size := erspanHeader3
	if data[11]&1 != 0 {
		size += erspanPlatform
	}
	if data[10]>>2&0x1f == frameTypeIP {
		return within(size, data, rawIP)
	}
	return within(size, data, ethernetFrame)
}

// vxlan reads a VXLAN header. Without the flag I it is another protocol at the same port.
func vxlan(data []byte) (Kind, int) {
	if len(data) > 0 && data[0]&8 == 0 {
		return 0, -1
	}
	return within(vxlanHeader, data, ethernetFrame)
}

// geneve reads a header of Geneve version 0, with its options.
func geneve(data []byte) (Kind, int) {
	if len(data) < geneveHeader {
		return 0, geneveHeader
	}
	if data[0]>>6 != 0 {
		return 0, -1
	}
	size := geneveHeader + int(data[0]&0x3f)*4
	protocol := Kind(binary.BigEndian.Uint16(data[2:]))
	return within(size, data, func(inner []byte) (Kind, int) { return protocolOf(protocol, inner) })
}
