package filter

import (
	"encoding/binary"
	"slices"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

const payload = "open sesame"

// A frame describes a generated frame.
type frame struct {
	version    byte
	protocol   byte
	flags      packet.Flags
	port       uint16
	options    int // words of IPv4 options
	extensions []byte
	fragment   uint16
	flow       uint16 // low bits of an IPv6 flow label
}

// A capture is a frame in a capture file.
type capture struct {
	link packet.LinkType
	data []byte
	wire int
}

// build returns the IP packet that f describes.
func build(f frame) []byte {
	segment := make([]byte, 8, 40)
	switch f.protocol {
	case protocolTCP:
		segment = make([]byte, 20, 40)
		segment[12], segment[13] = 5<<4, byte(f.flags)
	case protocolUDP:
		binary.BigEndian.PutUint16(segment[4:], uint16(8+len(payload)))
	}
	binary.BigEndian.PutUint16(segment[2:], f.port)
	segment = append(segment, payload...)
	if f.version == 6 {
		return build6(f, segment)
	}
	header := make([]byte, 20+4*f.options)
	for i := range header[20:] {
		header[20+i] = 1 // no operation
	}
	header[0] = 0x40 | byte(5+f.options)
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(segment)))
	binary.BigEndian.PutUint16(header[6:], f.fragment)
	header[8], header[9] = 64, f.protocol
	copy(header[12:], []byte{203, 0, 113, 9, 192, 0, 2, 1})
	return append(header, segment...)
}

func build6(f frame, segment []byte) []byte {
	next := f.protocol
	for _, extension := range slices.Backward(f.extensions) {
		segment = append([]byte{next, 0, 0, 0, 0, 0, 0, 0}, segment...)
		if extension == 51 {
			segment[1] = 0 // 8 bytes, in the measure of AH
		}
		next = extension
	}
	header := make([]byte, 40)
	header[0] = 0x60
	binary.BigEndian.PutUint16(header[2:], f.flow)
	binary.BigEndian.PutUint16(header[4:], uint16(len(segment)))
	header[6], header[7] = next, 64
	header[8], header[23], header[24], header[39] = 0x20, 9, 0x20, 1
	return append(header, segment...)
}

// link puts a link header before an IP packet.
func link(l packet.LinkType, ip []byte, version byte, tags int) []byte {
	etherType := []byte{0x08, 0x00}
	if version == 6 {
		etherType = []byte{0x86, 0xdd}
	}
	tagged := etherType
	if tags > 0 {
		tagged = []byte{0x81, 0x00}
	}
	ppp, pppoe := []byte{0, 0x21}, []byte{0x11, 0, 0, 1, 0, 42}
	if version == 6 {
		ppp = []byte{0, 0x57}
	}
	var header []byte
	switch l {
	case packet.Ethernet:
		if tags == 3 { // a PPPoE session in a VLAN
			return slices.Concat(make([]byte, 12), []byte{0x81, 0, 0, 7, 0x88, 0x64}, pppoe, ppp, ip)
		}
		header = append(make([]byte, 12), tagged...)
	case packet.SLL:
		header = append(make([]byte, 14), tagged...)
	case packet.SLL2:
		header = append(slices.Clone(tagged), make([]byte, 18)...)
	case packet.Null, packet.Loop:
		return append([]byte{0, 0, 0, map[byte]byte{4: 2, 6: 30}[version]}, ip...)
	case packet.Raw, packet.RawBSD, packet.RawOther, packet.IPv4, packet.IPv6:
		return ip
	case packet.PPP, packet.PPPinHDLC:
		return slices.Concat([]byte{0xff, 3}, ppp, ip)
	case packet.PPPoE:
		return slices.Concat(pppoe, ppp, ip)
	case packet.CiscoHDLC:
		header = append([]byte{0x0f, 0}, tagged...)
	case packet.MPLS:
		return slices.Concat([]byte{0, 1, 0x20, 64, 0, 2, 0x21, 64}, ip)
	case packet.ATM:
		header = append([]byte{0xaa, 0xaa, 3, 0, 0, 0}, tagged...)
	case packet.NFLog:
		return slices.Concat([]byte{map[byte]byte{4: 2, 6: 10}[version], 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 44, 0, 9, 0}, ip)
	case packet.FDDI, packet.ATMClassic, packet.PPPD, packet.PPPWithDir, packet.HDLCWithDir, packet.IPNet, packet.PKTAP:
		panic("not made: " + l.String())
	}
	for i := range tags {
		inner := tagged
		if i == tags-1 {
			inner = etherType
		}
		header = append(append(header, 0x40, 42), inner...)
	}
	return append(header, ip...)
}

// frames generates frames. Most are plain, and many go to ports of the interest.
func frames(w Interest) *rapid.Generator[capture] {
	port := rapid.OneOf(rapid.SampledFrom(append(slices.Concat(w.TCP, w.UDP), 0, 65535)), rapid.Uint16())
	links := []packet.LinkType{packet.Ethernet, packet.Ethernet, packet.SLL, packet.SLL2, packet.Null, packet.Loop, packet.Raw,
		packet.PPP, packet.PPPoE, packet.CiscoHDLC, packet.MPLS, packet.ATM, packet.NFLog}
	return rapid.Custom(func(t *rapid.T) capture {
		f := frame{
			version:  rapid.SampledFrom([]byte{4, 6}).Draw(t, "version"),
			protocol: rapid.SampledFrom([]byte{protocolTCP, protocolTCP, protocolUDP, protocolUDP, 1, 58, 47}).Draw(t, "protocol"),
			flags:    packet.Flags(rapid.SampledFrom([]byte{2, 2, 2, 0x12, 0x10, 0xc2, 1, 0}).Draw(t, "flags")),
			port:     port.Draw(t, "port") + rapid.SampledFrom([]uint16{0, 0, 0, 1, 0xffff}).Draw(t, "off by"),
		}
		if rapid.Bool().Draw(t, "aimed") {
			f.protocol, f.flags = protocolTCP, packet.SYN
			watched := w.TCP
			if rapid.Bool().Draw(t, "udp") {
				f.protocol, watched = protocolUDP, w.UDP
			}
			f.port = rapid.SampledFrom(append(slices.Clone(watched), f.port)).Draw(t, "watched port")
		}
		switch rapid.IntRange(0, 3).Draw(t, "odd") {
		case 0:
			f.options = rapid.IntRange(0, 10).Draw(t, "options")
			f.extensions = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 43, 44, 51, 60}), 0, 4).Draw(t, "extensions")
			f.flow = rapid.SampledFrom([]uint16{0, 0x0800, 0x86dd, 0x1234}).Draw(t, "flow")
		case 1:
			f.fragment = rapid.SampledFrom([]uint16{0, 0x4000, 0x2000, 0x0001, 0x8000}).Draw(t, "fragment")
		}
		l := rapid.SampledFrom(links).Draw(t, "link")
		data := link(l, build(f), f.version, rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "tags"))
		return spoil(t, capture{l, data, len(data)})
	})
}

// spoil pads, cuts or corrupts some frames.
func spoil(t *rapid.T, c capture) capture {
	switch rapid.IntRange(0, 7).Draw(t, "spoil") {
	case 0:
		c.data = append(c.data, make([]byte, 20)...)
		c.wire = len(c.data)
	case 1:
		c.data = c.data[:rapid.IntRange(0, len(c.data)).Draw(t, "snap length")]
	case 2:
		c.data[rapid.IntRange(0, len(c.data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
	}
	return c
}
