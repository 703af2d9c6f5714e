package packet

import (
	"slices"
	"testing"

	"github.com/google/gopacket/layers"
)

func TestLinkTypeNames(t *testing.T) {
	for link, want := range map[LinkType]string{
		Null: "NULL", Ethernet: "ETHERNET", RawBSD: "RAW", RawOther: "RAW", Raw: "RAW", Loop: "LOOP",
		SLL: "LINUX_SLL", IPv4: "IPV4", IPv6: "IPV6", SLL2: "LINUX_SLL2", 127: "IEEE802_11_RADIOTAP", 9: "PPP", 51: "PPP_ETHER", 239: "NFLOG", 258: "PKTAP", 147: "USER0", 500: "link type 500",
	} {
		if got := link.String(); got != want {
			t.Errorf("%d: got %q, want %q", link, got, want)
		}
	}
}

// Supported must agree with Network: frames of a supported type can carry IP, and others never do.
func TestLinkTypeSupported(t *testing.T) {
	var frames [][]byte
	for _, test := range linkFrames(t) {
		frames = append(frames, test.frame)
	}
	for l := range 1 << 16 {
		link, carries := LinkType(l), false
		for _, frame := range frames {
			kind, _ := link.Network(frame)
			carries = carries || kind == EtherTypeIPv4 || kind == EtherTypeIPv6
		}
		if carries != link.Supported() {
			t.Errorf("%v: supported is %v", link, link.Supported())
		}
	}
}

// A linkFrame is a frame with a header of its link type before the packet of syn4 or of tcp6.
type linkFrame struct {
	name   string
	link   LinkType
	frame  []byte
	ip     []byte
	header int // bytes before the packet
}

func tcp6(t testing.TB) []byte { return ip6(t, layers.IPProtocolTCP, tcpSegment(t, "")) }

// pppoe6 and the others are headers as they stand in frames.
var (
	pppoe4   = []byte{0x11, 0, 0, 1, 0, 42, 0, 0x21}
	pppoe6   = []byte{0x11, 0, 0, 1, 0, 62, 0, 0x57}
	snap4    = []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}
	snap6    = []byte{0xaa, 0xaa, 3, 0, 0, 0xf8, 0x86, 0xdd}
	bottom   = []byte{0, 1, 0x21, 64}
	notYet   = []byte{0, 1, 0x20, 64}
	nflogLE  = []byte{2, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 8, 0, 4, 0, 0, 0, 0, 3, 5, 0, 10, 0, 'x', 0, 0, 0, 44, 0, 9, 0}
	nflogBE  = []byte{10, 0, 0, 5, 0, 8, 0, 1, 0x86, 0xdd, 1, 0, 0, 64, 0, 9}
	nflogBr  = []byte{7, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 44, 0, 9, 0}
	ipnet4   = append([]byte{2, 2, 0, 0, 0, 0, 0, 40, 0, 0, 0, 7}, make([]byte, 12)...)
	ipnet6   = append([]byte{2, 26, 0, 0, 0, 0, 0, 60, 0, 0, 0, 7}, make([]byte, 12)...)
	frameDot = slices.Concat(mac, mac)
)

// tap returns the header of a packet tap, version 1 or 2, before a frame of a link type.
func tap(version int, link LinkType, name string) []byte {
	if version == 1 {
		b := make([]byte, 112)
		b[0], b[4], b[8], b[36] = 112, 1, byte(link), 1
		copy(b[12:36], name)
		return b
	}
	b := make([]byte, 40, 64)
	b[3], b[6], b[38] = 40, byte(link), 8
	b = append(append(b, name...), 0)
	b[0] = byte(len(b))
	return b
}

// linkFrames returns a frame for each form of each link type.
func linkFrames(t testing.TB) []linkFrame {
	v4, v6 := syn4(t, ""), tcp6(t)
	var all []linkFrame
	add := func(name string, link LinkType, ip []byte, header ...[]byte) {
		h := slices.Concat(header...)
		all = append(all, linkFrame{name, link, slices.Concat(h, ip), ip, len(h)})
	}
	add("ethernet", Ethernet, v4, ethernet(t, typeIPv4))
	add("a tag", Ethernet, v6, ethernet(t, typeVLAN, tag(typeIPv6)))
	add("pppoe", Ethernet, v4, ethernet(t, 0x8864), pppoe4)
	add("pppoe, IPv6", Ethernet, v6, ethernet(t, 0x8864), pppoe6)
	add("pppoe in a tag", Ethernet, v4, ethernet(t, typeVLAN, tag(0x8864)), pppoe4)
	add("pppoe in two tags", Ethernet, v4, ethernet(t, typeQinQ, tag(typeVLAN), tag(0x8864)), pppoe4)
	add("snap", Ethernet, v4, ethernet(t, 48), snap4)
	add("snap of a bridge", Ethernet, v6, ethernet(t, 68), snap6)
	add("snap in a tag", Ethernet, v4, ethernet(t, typeVLAN, tag(48)), snap4)
	add("llc", Ethernet, v4, ethernet(t, 43), []byte{6, 6, 3})
	add("mpls", Ethernet, v4, ethernet(t, 0x8847), notYet, notYet, bottom)
	add("mpls, IPv6", Ethernet, v6, ethernet(t, 0x8848), bottom)
	add("mpls in a tag", Ethernet, v4, ethernet(t, typeVLAN, tag(0x8847)), bottom)
	add("mpls in pppoe", Ethernet, v4, ethernet(t, 0x8864), with(pppoe4, 6, 2, 0x81), bottom)
	add("pppoe alone", PPPoE, v4, pppoe4)
	add("pppoe alone, IPv6", PPPoE, v6, pppoe6)
	add("ppp", PPP, v4, []byte{0, 0x21})
	add("ppp, IPv6", PPP, v6, []byte{0, 0x57})
	add("ppp, short", PPP, v4, []byte{0x21})
	add("ppp, framed", PPP, v4, []byte{0xff, 3, 0, 0x21})
	add("ppp, framed and short", PPP, v4, []byte{0xff, 3, 0x21})
	add("ppp, mpls", PPP, v4, []byte{0xff, 3, 2, 0x81}, bottom)
	add("ppp of a serial line", PPPinHDLC, v4, []byte{0xff, 3, 0, 0x21})
	add("hdlc of a serial line", PPPinHDLC, v6, []byte{0x0f, 0, 0x86, 0xdd})
	add("hdlc for all", PPPinHDLC, v4, []byte{0x8f, 0, 8, 0})
	add("pppd", PPPD, v4, []byte{0, 3, 0, 0x21})
	add("pppd, sent", PPPD, v6, []byte{1, 3, 0, 0x57})
	add("ppp with direction", PPPWithDir, v4, []byte{0, 0xff, 3, 0, 0x21})
	add("hdlc", CiscoHDLC, v4, []byte{0x0f, 0, 8, 0})
	add("hdlc with direction", HDLCWithDir, v4, []byte{1, 0x0f, 0, 8, 0})
	add("fddi", FDDI, v4, []byte{0x50}, frameDot, snap4)
	add("atm", ATM, v4, snap4)
	add("classical ip over atm", ATMClassic, v6, snap6)
	add("classical ip without llc", ATMClassic, v4)
	add("mpls alone", MPLS, v4, notYet, bottom)
	add("ipnet", IPNet, v4, ipnet4)
	add("ipnet, IPv6", IPNet, v6, ipnet6)
	add("nflog", NFLog, v4, nflogLE)
	add("nflog, big endian", NFLog, v6, nflogBE)
	add("nflog of a bridge", NFLog, v4, nflogBr)
	add("pktap", PKTAP, v4, tap(1, Ethernet, "en0"), ethernet(t, typeIPv4))
	add("pktap, raw", PKTAP, v6, tap(1, RawBSD, "utun3"))
	add("pktap 2", PKTAP, v4, tap(2, Ethernet, "en0"), ethernet(t, typeVLAN, tag(typeIPv4)))
	add("cooked", SLL, v4, sll(typeIPv4, 6, nil))
	add("cooked, pppoe", SLL, v4, sll(0x8864, 6, nil), pppoe4)
	add("cooked, llc", SLL, v4, sll(4, 6, nil), snap4)
	add("cooked 2", SLL2, v6, sll2(typeIPv6, nil))
	add("null", Null, v4, []byte{2, 0, 0, 0})
	add("null, IPv6", Null, v6, []byte{0, 0, 0, 30})
	add("loop", Loop, v4, []byte{0, 0, 0, 2})
	add("raw", Raw, v4)
	add("raw 12", RawBSD, v4)
	add("raw 14", RawOther, v6)
	add("ipv4", IPv4, v4)
	add("ipv6", IPv6, v6)
	return all
}

// Behind each link header is the same packet. Cut within the header it is truncated.
func TestLinkTypes(t *testing.T) {
	for _, test := range linkFrames(t) {
		d := NewDecoder()
		want := wantTCP("203.0.113.9", "192.0.2.1", "")
		if test.ip[0]>>4 == 6 {
			want = wantTCP("2001:db8::9", "2001:db8::1", "")
		}
		var p Packet
		if drop := d.Decode(test.link, test.frame, len(test.frame), &p); drop != NotDropped {
			t.Errorf("%s: %v, %v", test.name, drop, d.Carried())
			continue
		}
		compare(t, p, want)
		if (p.LinkDigest == 0) != (test.header == 0) {
			t.Errorf("%s: digest %#x of a link header of %d bytes", test.name, p.LinkDigest, test.header)
		}
		if _, offset := test.link.Network(test.frame); offset != test.header {
			t.Errorf("%s: a link header of %d bytes, want %d", test.name, offset, test.header)
		}
		for n := range test.header {
			if drop := d.Decode(test.link, test.frame[:n], len(test.frame), &p); drop != Truncated {
				t.Errorf("%s: the first %d bytes: %v", test.name, n, drop)
			}
		}
	}
}

// What cannot be read has a name. Some kinds hide packets, others talk about the link.
func TestKinds(t *testing.T) {
	ip := syn4(t, "")
	for _, test := range []struct {
		link   LinkType
		header []byte
		want   string
		hides  bool
		remedy bool
	}{
		{Ethernet, ethernet(t, layers.EthernetTypeARP), "ARP", false, false},
		{Ethernet, ethernet(t, typeVLAN, tag(layers.EthernetTypeARP)), "ARP", false, false},
		{Ethernet, ethernet(t, 0x1234), "EtherType 0x1234", true, false},
		{Ethernet, ethernet(t, 0x88e5), "MACsec", true, true},
		{Ethernet, ethernet(t, 38, []byte{0x42, 0x42, 3}), "STP", false, false},
		{Ethernet, ethernet(t, 38, []byte{0xaa, 0xaa, 3, 0, 0, 0xc, 0x20, 0}), "Cisco SNAP", false, false},
		{Ethernet, ethernet(t, 38, []byte{0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 1}), "SNAP organization 0080c2", true, false},
		{Ethernet, ethernet(t, 38, []byte{0x12, 0x12, 3}), "LLC service 0x12", true, false},
		{Ethernet, ethernet(t, 38, []byte{6, 6, 0x7f}), "LLC service 0x06", true, false},
		{Ethernet, ethernet(t, 38, []byte{0xaa, 0xaa, 0, 0, 0, 0, 8, 0}), "LLC service 0xaa", true, false},
		{Ethernet, ethernet(t, 1500, []byte{0x42, 0x42, 3}), "STP", false, false},
		{Ethernet, ethernet(t, 1501), "EtherType 0x05dd", true, false},
		{Ethernet, ethernet(t, 0x8863), "PPPoE discovery", false, false},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 6, 0xc0, 0x21)), "PPP LCP", false, false},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 6, 0, 0xfd)), "PPP compressed", true, true},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 6, 0x80, 0x99)), "PPP protocol 0x8099", false, false},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 6, 0x7e, 0x99)), "PPP protocol 0x7e99", true, false},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 0, 0x12)), "PPPoE", true, false},
		{Ethernet, ethernet(t, 0x8864, with(pppoe4, 1, 0xa7)), "PPPoE", true, false},
		{Ethernet, ethernet(t, 0x8847, bottom, []byte{0, 0, 0, 0}), "MPLS", true, true},
		{SLL, sll(0xc, 6, nil), "CAN", false, false},
		{Null, []byte{7, 0, 0, 0}, "address family 7", true, false},
		{IPNet, with(ipnet4, 1, 9), "address family 9", true, false},
		{NFLog, with(nflogLE, 0, 3), "IPv4", false, false},
		{NFLog, []byte{3, 0, 0, 5, 8, 0, 1, 0, 8, 6, 1, 0, 44, 0, 9, 0}, "ARP", false, false},
		{NFLog, []byte{3, 0, 0, 5, 44, 0, 9, 0}, "address family 3", true, false},
		{NFLog, []byte{2, 0, 0, 5, 3, 0, 1, 0}, "NFLOG", true, false},
		{Raw, []byte{0x55}, "IP version 5", true, false},
		{PKTAP, tap(1, 2, "en0"), "EXP_ETHERNET", true, true},
		{PKTAP, tap(1, 105, "en0"), "IEEE802_11", true, true},
		{PKTAP, with(tap(1, Ethernet, "en0"), 0, 107), "PKTAP", true, true},
		{105, nil, "IEEE802_11", true, true},
		{8, nil, "SLIP", true, true},
		{40000, nil, "link type 40000", true, true},
	} {
		frame := append(slices.Clone(test.header), ip...)
		d := NewDecoder()
		var p Packet
		drop := d.Decode(test.link, frame, len(frame), &p)
		if kind := d.Carried(); kind.String() != test.want || kind.Hides() != test.hides || (kind.Remedy() != "") != test.remedy {
			t.Errorf("%v, want %s: %s, hides %v, remedy %q", test.link, test.want, kind, kind.Hides(), kind.Remedy())
		}
		if (drop == NotIP) != (test.want != "IPv4") {
			t.Errorf("%s: %v", test.want, drop)
		}
	}
}

// Every link type of the registry and every meaning has a name, and every link type that is not
// read has a remedy.
func TestAllKindsHaveNames(t *testing.T) {
	for l := range LinkType(len(linkNames)) {
		if !l.Supported() && l.Kind().Remedy() == "" {
			t.Errorf("%v has no remedy", l)
		}
	}
	for kind, meaning := range meanings {
		if meaning.name == "" || meaning.remedy != "" && !meaning.hides {
			t.Errorf("%#x: %+v", uint32(kind), meaning)
		}
	}
	if len(linkNames) < 300 {
		t.Errorf("%d link types", len(linkNames))
	}
}

// What a tap or netfilter tells beside the packet differs from packet to packet, and is no part of
// its way.
func TestLinkDigestOfPseudoHeaders(t *testing.T) {
	ip := syn4(t, "")
	for _, test := range []struct {
		name  string
		link  LinkType
		a, b  []byte
		equal bool
	}{
		{"another process", PKTAP, tap(1, RawBSD, "en0"), with(tap(1, RawBSD, "en0"), 52, 9), true},
		{"another interface", PKTAP, tap(1, RawBSD, "en0"), tap(1, RawBSD, "en1"), false},
		{"another process, version 2", PKTAP, tap(2, RawBSD, "en0"), with(tap(2, RawBSD, "en0"), 28, 9), true},
		{"another interface, version 2", PKTAP, tap(2, RawBSD, "en0"), tap(2, RawBSD, "en1"), false},
		{"the frame in it", PKTAP, append(tap(2, Ethernet, "en0"), ethernet(t, typeIPv4)...),
			append(tap(2, Ethernet, "en0"), with(ethernet(t, typeIPv4), 5, 9)...), false},
		{"another hook", NFLog, nflogLE, with(nflogLE, 10, 3), false},
		{"another prefix", NFLog, nflogLE, with(nflogLE, 24, 'y'), true},
	} {
		a, b := kept(t, test.link, slices.Concat(test.a, ip)), kept(t, test.link, slices.Concat(test.b, ip))
		if (a.LinkDigest == b.LinkDigest) != test.equal {
			t.Errorf("%s: %#x and %#x", test.name, a.LinkDigest, b.LinkDigest)
		}
	}
}

func TestReadingLinksAllocatesNothing(t *testing.T) {
	d := NewDecoder()
	var p Packet
	for _, test := range linkFrames(t) {
		if n := testing.AllocsPerRun(100, func() { d.Decode(test.link, test.frame, len(test.frame), &p) }); n != 0 {
			t.Errorf("%s: %v allocations", test.name, n)
		}
	}
}
