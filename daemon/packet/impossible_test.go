package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"
)

// filled returns a copy of an IP packet with right checksums.
func filled(ip []byte) []byte {
	ip = slices.Clone(ip)
	FillChecksums(ip)
	return ip
}

// from and to return copies with another source or destination.
func from(ip []byte, source string) []byte {
	return with(ip, 12, netip.MustParseAddr(source).AsSlice()...)
}
func to(ip []byte, dest string) []byte { return with(ip, 16, netip.MustParseAddr(dest).AsSlice()...) }
func from6(ip []byte, source string) []byte {
	return with(ip, 8, netip.MustParseAddr(source).AsSlice()...)
}
func to6(ip []byte, dest string) []byte { return with(ip, 24, netip.MustParseAddr(dest).AsSlice()...) }

// options returns an IPv4 packet with options, in words of 4 bytes.
func options(ip []byte, options ...byte) []byte {
	b := slices.Concat(ip[:20], options, ip[20:])
	b[0] = 0x45 + byte(len(options)/4)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// Packets that cannot be honest are malformed, whether they were received now or are in a capture.
// Each has right checksums.
func TestImpossible(t *testing.T) {
	tcp, udp, tcp6 := syn4(t, ""), udp4(t, "x"), ip6(t, layers.IPProtocolTCP, tcpSegment(t, ""))
	routed := ip6(t, layers.IPProtocolIPv6Routing, with(extension(layers.IPProtocolTCP, 8), 2, 0, 0), tcpSegment(t, ""))
	for _, test := range []struct {
		name string
		ip   []byte
		want Drop
	}{
		{"honest", filled(tcp), NotDropped},
		{"honest datagram", filled(udp), NotDropped},
		{"honest IPv6", filled(tcp6), NotDropped},
		{"source 0.0.0.0", filled(from(tcp, "0.0.0.0")), Malformed},
		{"source 0.0.0.9", filled(from(udp, "0.0.0.9")), Malformed},
		{"source 127.0.0.1", filled(from(tcp, "127.0.0.1")), Malformed},
		{"source 127.255.255.254", filled(from(tcp, "127.255.255.254")), Malformed},
		{"source 224.0.0.1", filled(from(udp, "224.0.0.1")), Malformed},
		{"source 239.255.255.255", filled(from(udp, "239.255.255.255")), Malformed},
		{"source 240.0.0.1", filled(from(udp, "240.0.0.1")), NotDropped},
		{"source 255.255.255.255", filled(from(tcp, "255.255.255.255")), Malformed},
		{"source 255.255.255.254", filled(from(tcp, "255.255.255.254")), NotDropped},
		{"source 1.0.0.0", filled(from(tcp, "1.0.0.0")), NotDropped},
		{"destination 127.0.0.1", filled(to(tcp, "127.0.0.1")), Malformed},
		{"source ::", filled(from6(tcp6, "::")), Malformed},
		{"source ::1", filled(from6(tcp6, "::1")), Malformed},
		{"source ff02::1", filled(from6(tcp6, "ff02::1")), Malformed},
		{"source fe80::1", filled(from6(tcp6, "fe80::1")), NotDropped},
		{"destination ::1", filled(to6(tcp6, "::1")), Malformed},
		{"asking for an address", filled(to(from(udp, "0.0.0.0"), "255.255.255.255")), NotDropped},
		{"asking all routers", filled(to6(from6(tcp6, "::"), "ff02::2")), NotDropped},
		{"TTL 0", filled(with(tcp, 8, 0)), Malformed},
		{"TTL 1", filled(with(tcp, 8, 1)), NotDropped},
		{"hop limit 0", filled(with(tcp6, 7, 0)), Malformed},
		{"loose source route", filled(options(tcp, 1, 131, 7, 4, 192, 0, 2, 7)), Malformed},
		{"strict source route", filled(options(tcp, 137, 7, 4, 192, 0, 2, 7, 0)), Malformed},
		{"record route", filled(options(tcp, 7, 7, 4, 131, 131, 131, 131, 0)), NotDropped},
		{"an option that has a source route for data", filled(options(tcp, 7, 7, 131, 3, 4, 0, 0, 0)), NotDropped},
		{"a source route behind the end of the options", filled(options(tcp, 0, 131, 3, 4)), NotDropped},
		{"routing header of type 0", routed, Malformed},
		{"IPv4 header", with(filled(tcp), 11, filled(tcp)[11]^1), Malformed},
		{"TCP checksum", with(filled(tcp), 37, filled(tcp)[37]^1), Malformed},
		{"UDP checksum", with(filled(udp), 27, filled(udp)[27]^1), Malformed},
		{"a byte of the payload", with(filled(udp), 28, 'y'), Malformed},
		{"no UDP checksum", with(filled(udp), 26, 0, 0), NotDropped},
	} {
		for _, r := range []Reception{0, Live} {
			var p Packet
			if drop := NewDecoder().DecodeReceived(Ethernet, ethernet(t, typeOf(test.ip), test.ip), 14+len(test.ip), r, &p); drop != test.want {
				t.Errorf("%s, reception %d: got %v, want %v", test.name, r, drop, test.want)
			}
		}
		// What a daemon kept is not judged again.
		var p Packet
		if drop := NewDecoder().DecodeReceived(Raw, test.ip, len(test.ip), Judged, &p); drop != NotDropped {
			t.Errorf("%s, judged: %v", test.name, drop)
		}
	}
}

// TestForeign compares with packets that come from outside: an address is foreign when a packet
// that has it as its source is not malformed.
func TestForeign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 203, 223, 224, 239, 240, 254, 255}), 4, 4).Draw(t, "source")))
		dest := netip.AddrFrom4([4]byte{192, 0, 2, 1})
		if rapid.Bool().Draw(t, "IPv6") {
			last := rapid.SampledFrom([]byte{0, 1, 2}).Draw(t, "last")
			source = netip.AddrFrom16([16]byte{0: rapid.SampledFrom([]byte{0, 0x20, 0xfe, 0xff}).Draw(t, "first"), 1: last, 15: last})
			dest = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: 1})
		}
		if got, want := Foreign(source), possible(source, dest, false, true); got != want {
			t.Errorf("%s: got %v, and a packet from it is possible: %v", source, got, want)
		}
	})
}

func typeOf(ip []byte) layers.EthernetType {
	if ip[0]>>4 == 6 {
		return typeIPv6
	}
	return typeIPv4
}

// A host that knocks at itself has the loopback address at both ends, and only on the loopback.
func TestOnLoopback(t *testing.T) {
	looped4 := filled(to(from(syn4(t, ""), "127.0.0.1"), "127.0.0.2"))
	looped6 := filled(to6(from6(ip6(t, layers.IPProtocolTCP, tcpSegment(t, "")), "::1"), "::1"))
	none := make([]byte, 12)
	for _, test := range []struct {
		name      string
		link      LinkType
		reception Reception
		header    []byte
		ip        []byte
		want      Drop
		loopback  bool
	}{
		{"live", IPv4, Live | Loopback, nil, looped4, NotDropped, true},
		{"live, IPv6", IPv6, Live | Loopback, nil, looped6, NotDropped, true},
		{"live, from outside", IPv4, Live, nil, looped4, Malformed, false},
		{"recorded", Raw, Loopback, nil, looped6, NotDropped, true},
		{"an interface that is not known", Raw, 0, nil, looped4, NotDropped, false},
		{"BSD", Null, 0, []byte{2, 0, 0, 0}, looped4, NotDropped, false},
		{"Ethernet without addresses", Ethernet, 0, append(none, 8, 0), looped4, NotDropped, true},
		{"Ethernet", Ethernet, 0, slices.Concat(mac, mac, []byte{8, 0}), looped4, Malformed, false},
		{"cooked, loopback", SLL, 0, with(sll(typeIPv4, 6, nil), 2, 3, 4), looped4, NotDropped, true},
		{"cooked, Ethernet", SLL, 0, sll(typeIPv4, 6, nil), looped4, Malformed, false},
		{"cooked 2, loopback", SLL2, 0, with(sll2(typeIPv6, nil), 8, 3, 4), looped6, NotDropped, true},
		{"cooked 2, Ethernet", SLL2, 0, sll2(typeIPv6, nil), looped6, Malformed, false},
		{"one end alone", IPv4, Live | Loopback, nil, filled(from(syn4(t, ""), "127.0.0.1")), Malformed, true},
	} {
		frame := slices.Concat(test.header, test.ip)
		var p Packet
		if drop := NewDecoder().DecodeReceived(test.link, frame, len(frame), test.reception, &p); drop != test.want || p.Loopback != test.loopback {
			t.Errorf("%s: got %v, loopback %v", test.name, drop, p.Loopback)
		}
	}
}

// naiveSum is the Internet checksum as RFC 1071 words it, over 16-bit words and their carries.
func naiveSum(data []byte) uint16 {
	sum := 0
	for i, b := range data {
		if sum += int(b) << (8 - i%2*8); sum > 0xffff {
			sum -= 0xffff
		}
	}
	return ^uint16(sum)
}

// pseudo returns the pseudo header of a packet without options and extensions.
func pseudo(ip []byte) []byte {
	if ip[0]>>4 == 4 {
		n := len(ip) - 20
		return slices.Concat(ip[12:20], []byte{0, ip[9], byte(n >> 8), byte(n)})
	}
	n := len(ip) - 40
	return slices.Concat(ip[8:40], []byte{0, 0, byte(n >> 8), byte(n), 0, 0, 0, ip[6]})
}

// Random packets with random checksums are kept as a naive computation says.
func TestChecksums(t *testing.T) {
	d := NewDecoder()
	kept := 0
	rapid.Check(t, func(rt *rapid.T) {
		payload := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "payload"))
		ip := [][]byte{syn4(t, payload), udp4(t, payload), ip6(t, layers.IPProtocolTCP, tcpSegment(t, payload)),
			ip6(t, layers.IPProtocolUDP, udpSegment(t, payload))}[rapid.IntRange(0, 3).Draw(rt, "kind")]
		header, protocol := 20, ip[9]
		if ip[0]>>4 == 6 {
			header, protocol = 40, ip[6]
		}
		at := header + map[byte]int{6: 16, 17: 6}[protocol]
		begun := ^naiveSum(pseudo(ip))
		right := naiveSum(slices.Concat(pseudo(ip), ip[header:]))
		sum := rapid.SampledFrom([]uint16{right, right, 0, begun, right + 1, ^right, 0xffff}).Draw(rt, "checksum")
		binary.BigEndian.PutUint16(ip[at:], sum)
		ipRight := true
		if header == 20 {
			sum := naiveSum(ip[:20])
			wrong := rapid.IntRange(0, 3).Draw(rt, "wrong header") == 0
			ipRight = !wrong
			if wrong {
				sum++
			}
			binary.BigEndian.PutUint16(ip[10:], sum)
		}
		r := rapid.SampledFrom([]Reception{0, Live, Live | Vouched, Judged}).Draw(rt, "reception")
		verified := naiveSum(slices.Concat(pseudo(ip), ip[header:])) == 0 || protocol == 17 && header == 20 && sum == 0
		none := protocol == 17 && header == 40 && sum == 0
		want := r == Judged || ipRight && (verified || r == 0 && (sum == 0 || sum == begun) || r&Vouched != 0 && !none)
		var p Packet
		drop := d.DecodeReceived(Raw, ip, len(ip), r, &p)
		if (drop == NotDropped) != want || drop != NotDropped && drop != Malformed {
			rt.Fatalf("%v: want kept %v; right is %#04x, begun %#04x, reception %d: %x", drop, want, right, begun, r, ip)
		}
		if want {
			kept++
		}
		if p.Vouched != (r&Vouched != 0) {
			rt.Fatalf("vouched is %v", p.Vouched)
		}
	})
	t.Logf("%d kept", kept)
}

// What the snap length cut off cannot be verified. The header can.
func TestChecksumOfCutPackets(t *testing.T) {
	whole := filled(udp4(t, "open sesame"))
	wrong := with(whole, 27, whole[27]^1)
	d := NewDecoder()
	for _, test := range []struct {
		ip   []byte
		have int
		want Drop
	}{
		{wrong, 35, NotDropped}, {wrong, len(wrong), Malformed}, {with(whole, 11, whole[11]^1), 35, Malformed},
	} {
		var p Packet
		if drop := d.DecodeReceived(Raw, test.ip[:test.have], len(test.ip), Live, &p); drop != test.want {
			t.Errorf("%d bytes: got %v, want %v", test.have, drop, test.want)
		}
	}
	// A datagram may end before its packet. What is behind it does not count.
	behind := append(filled(udp4(t, "x")), "garbage"...)
	binary.BigEndian.PutUint16(behind[2:], uint16(len(behind)))
	binary.BigEndian.PutUint16(behind[10:], 0)
	binary.BigEndian.PutUint16(behind[10:], naiveSum(behind[:20]))
	var p Packet
	if drop := d.DecodeReceived(Raw, behind, len(behind), Live, &p); drop != NotDropped || string(p.Payload) != "x" {
		t.Errorf("bytes behind a datagram: %v, payload %q", drop, p.Payload)
	}
}

// A checksum of zero is one that the card fills in later, but not in what this host received.
func TestUnfilledChecksums(t *testing.T) {
	header := with(filled(syn4(t, "")), 10, 0, 0)
	segment := with(filled(syn4(t, "")), 36, 0, 0)
	datagram6 := with(filled(ip6(t, layers.IPProtocolUDP, udpSegment(t, "x"))), 46, 0, 0)
	for _, test := range []struct {
		name string
		ip   []byte
		want map[Reception]Drop
	}{
		{"IPv4 header", header, map[Reception]Drop{0: NotDropped, Live: Malformed, Live | Vouched: Malformed, Judged: NotDropped}},
		{"TCP", segment, map[Reception]Drop{0: NotDropped, Live: Malformed, Live | Vouched: NotDropped, Judged: NotDropped}},
		{"UDP over IPv6", datagram6, map[Reception]Drop{0: NotDropped, Live: Malformed, Live | Vouched: Malformed, Judged: NotDropped}},
	} {
		for r, want := range test.want {
			var p Packet
			if drop := NewDecoder().DecodeReceived(Raw, test.ip, len(test.ip), r, &p); drop != want {
				t.Errorf("%s, reception %d: got %v, want %v", test.name, r, drop, want)
			}
		}
	}
}

func TestVerifyingAllocatesNothing(t *testing.T) {
	d := NewDecoder()
	var p Packet
	for _, ip := range [][]byte{filled(syn4(t, "")), filled(udp4(t, "open sesame")), filled(options(syn4(t, ""), 131, 3, 4, 0))} {
		if n := testing.AllocsPerRun(100, func() { d.DecodeReceived(Raw, ip, len(ip), Live, &p) }); n != 0 {
			t.Errorf("%x: %v allocations", ip, n)
		}
	}
}
