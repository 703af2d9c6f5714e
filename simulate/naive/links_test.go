package naive_test

import (
	"encoding/binary"
	"slices"
)

// This file writes IP packets into frames of each link type, as the registry of link types and the
// standards have them.

// A link is how an interface is captured.
type link struct {
	name    string
	number  uint16 // in the registry of link types
	headers bool   // its header tells one way from another
	only    int    // 4 or 6: it carries no other version of IP
	frame   func(s *sent, ip []byte) []byte
}

// links are the kinds of frames that Sesame reads.
var links = []link{
	{name: "Ethernet", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(s.etherType()), ip)
	}},
	{name: "VLAN", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x8100, 7, s.etherType()), ip)
	}},
	{name: "QinQ", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x88a8, 7, 0x8100, 9, s.etherType()), ip)
	}},
	{name: "NULL", number: 0, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat([]byte{byte(s.family(2, 30, 99)), 0, 0, 0}, ip)
	}},
	{name: "LOOP", number: 108, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat([]byte{0, 0, 0, byte(s.family(2, 24, 99))}, ip)
	}},
	{name: "RAW", number: 101, frame: bare},
	{name: "RAW of BSD", number: 12, frame: bare},
	{name: "RAW of OpenBSD", number: 14, frame: bare},
	{name: "IPV4", number: 228, only: 4, frame: bare},
	{name: "IPV6", number: 229, only: 6, frame: bare},
	{name: "SLL", number: 113, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(be(uint16(s.way), 1, 6, 0x0200, 0, 1, 0, s.etherType()), ip)
	}},
	{name: "SLL2", number: 276, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(be(s.etherType(), 0, 0, uint16(s.iface+1), 1), []byte{byte(s.way), 6}, be(0x0200, 0, 1, 0), ip)
	}},
	{name: "SNAP", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(uint16(8+len(ip))), snap(s), ip)
	}},
	{name: "SNAP in a VLAN", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x8100, 7, uint16(8+len(ip))), snap(s), ip)
	}},
	{name: "MPLS in Ethernet", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x8847), labels(s), bare(s, ip))
	}},
	{name: "PPPoE in Ethernet", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x8864), session(s, ip))
	}},
	{name: "PPPoE in a VLAN", number: 1, headers: true, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat(macs(s), be(0x8100, 7, 0x8864), session(s, ip))
	}},
	{name: "PPPoE", number: 51, headers: true, frame: session},
	{name: "PPP", number: 9, frame: func(s *sent, ip []byte) []byte { return slices.Concat(ppp(s), ip) }},
	{name: "PPP in HDLC", number: 9, frame: func(s *sent, ip []byte) []byte { return slices.Concat(be(0xff03), ppp(s), ip) }},
	{name: "PPP_HDLC", number: 50, frame: func(s *sent, ip []byte) []byte { return slices.Concat(be(0xff03), ppp(s), ip) }},
	{name: "PPP_PPPD", number: 166, frame: func(s *sent, ip []byte) []byte { return slices.Concat(be(0x0003), ppp(s), ip) }},
	{name: "PPP_WITH_DIR", number: 204, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat([]byte{0}, be(0xff03), ppp(s), ip)
	}},
	{name: "C_HDLC", number: 104, frame: func(s *sent, ip []byte) []byte { return slices.Concat(be(0x0f00, s.etherType()), ip) }},
	{name: "C_HDLC_WITH_DIR", number: 205, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat([]byte{0}, be(0x0f00, s.etherType()), ip)
	}},
	{name: "ATM_RFC1483", number: 100, frame: func(s *sent, ip []byte) []byte { return slices.Concat(snap(s), ip) }},
	{name: "MPLS", number: 219, headers: true, frame: func(s *sent, ip []byte) []byte { return slices.Concat(labels(s), bare(s, ip)) }},
	{name: "IPNET", number: 226, frame: func(s *sent, ip []byte) []byte {
		return slices.Concat([]byte{2, byte(s.family(2, 26, 99)), 0, 0}, be(0, uint16(len(ip)), 0, uint16(s.iface+1), 0, 0, 0, 0, 0, 0), ip)
	}},
	{name: "NFLOG", number: 239, frame: func(s *sent, ip []byte) []byte {
		length := uint16(4 + len(ip))
		return slices.Concat([]byte{byte(s.family(2, 10, 7)), 0, 0, 0, 8, 0, 10, 0, 'l', 'o', 'g', 0, byte(length), byte(length >> 8), 9, 0}, ip)
	}},
	{name: "PKTAP", number: 258, headers: true, frame: func(s *sent, ip []byte) []byte {
		header := make([]byte, 108)
		header[0], header[4], header[8] = 108, 1, 1 // its length, a packet, in Ethernet
		copy(header[12:], "en0")
		return slices.Concat(header, macs(s), be(s.etherType()), ip)
	}},
}

// snap returns an LLC header and a SNAP header (RFC 1042).
func snap(s *sent) []byte { return slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be(s.etherType())) }

// labels returns a stack of two MPLS labels (RFC 3032). The last one has the bit that says so.
func labels(s *sent) []byte { return be(0x0012, 0x3040, uint16(s.way), 0x6140) }

// ppp returns the number of a protocol of PPP: IPv4, IPv6 or LCP.
func ppp(s *sent) []byte { return be(s.family(0x0021, 0x0057, 0xc021)) }

// session returns a packet of a PPPoE session (RFC 2516).
func session(s *sent, ip []byte) []byte {
	return slices.Concat(be(0x1100, uint16(1+s.way), uint16(2+len(ip))), ppp(s), ip)
}

// macs returns the addresses of an Ethernet header.
func macs(s *sent) []byte { return []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, byte(s.way)} }

func bare(s *sent, ip []byte) []byte {
	if s.form == foreign {
		return []byte{0x20, 1, 2, 3, 4, 5, 6, 7}
	}
	return ip
}

func (s *sent) etherType() uint16 { return s.family(0x0800, 0x86dd, 0x0806) }

func (s *sent) family(four, six, other uint16) uint16 {
	switch {
	case s.form == foreign:
		return other
	case s.source.Is4():
		return four
	}
	return six
}

// be returns 16-bit numbers in network byte order.
func be(words ...uint16) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}
