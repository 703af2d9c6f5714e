package packet

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"
)

const (
	typeIPv4 = layers.EthernetTypeIPv4
	typeIPv6 = layers.EthernetTypeIPv6
	typeVLAN = layers.EthernetTypeDot1Q
	typeQinQ = layers.EthernetTypeQinQ
)

func wantTCP(source, dest, payload string) Packet {
	return Packet{
		Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr(dest),
		SourcePort: 40000, Port: Port{TCP, 7421}, Flags: SYN, Sequence: 1000, Payload: []byte(payload),
	}
}

func wantUDP(source, dest, payload string) Packet {
	return Packet{
		Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr(dest),
		SourcePort: 40000, Port: Port{UDP, 9133}, Payload: []byte(payload),
	}
}

// compare leaves out what digest_test.go tests.
func compare(t *testing.T, got, want Packet) {
	t.Helper()
	got.Digest, got.LinkDigest, got.Interface, got.MayFragment = want.Digest, want.LinkDigest, want.Interface, want.MayFragment
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if len(got.Payload) == 0 && len(want.Payload) == 0 {
		got.Payload, want.Payload = nil, nil
	}
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("packet (-want +got):\n%s", diff)
	}
}

func TestDecodeKeeps(t *testing.T) {
	tcp, udp := syn4(t, ""), udp4(t, "open sesame")
	tcp6 := ip6(t, layers.IPProtocolTCP, tcpSegment(t, ""))
	const host4, host6, dest4, dest6 = "203.0.113.9", "2001:db8::9", "192.0.2.1", "2001:db8::1"
	hopByHop := extension(layers.IPProtocolUDP, 16)
	options := knock4
	options.Protocol = layers.IPProtocolTCP
	options.Options = []layers.IPv4Option{{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}} // router alert
	icmp := wantUDP(host4, dest4, "ping")
	icmp.SourcePort, icmp.Port = 0, Port{Proto: ICMP}
	icmp6 := wantUDP(host6, dest6, "ping")
	icmp6.SourcePort, icmp6.Port = 0, Port{Proto: ICMP}

	for _, test := range []struct {
		name  string
		link  LinkType
		frame []byte
		want  Packet
	}{
		{"ethernet", Ethernet, ethernet(t, typeIPv4, tcp), wantTCP(host4, dest4, "")},
		{"ethernet, padded to 60 bytes", Ethernet, ethernet(t, typeIPv4, tcp, make([]byte, 6)), wantTCP(host4, dest4, "")},
		{"ethernet, udp, padded", Ethernet, ethernet(t, typeIPv4, udp, []byte("garbage")), wantUDP(host4, dest4, "open sesame")},
		{"ethernet, ipv6", Ethernet, ethernet(t, typeIPv6, tcp6), wantTCP(host6, dest6, "")},
		{"ethernet, ipv6, padded", Ethernet, ethernet(t, typeIPv6, tcp6, []byte("garbage")), wantTCP(host6, dest6, "")},
		{"vlan", Ethernet, ethernet(t, typeVLAN, tag(typeIPv4), tcp), wantTCP(host4, dest4, "")},
		{"802.1ad", Ethernet, ethernet(t, typeQinQ, tag(typeVLAN), tag(typeIPv6), tcp6), wantTCP(host6, dest6, "")},
		{"stacked 802.1q", Ethernet, ethernet(t, typeVLAN, tag(typeVLAN), tag(typeIPv4), udp), wantUDP(host4, dest4, "open sesame")},
		{"old QinQ", Ethernet, ethernet(t, 0x9100, tag(typeVLAN), tag(typeIPv4), udp), wantUDP(host4, dest4, "open sesame")},
		{"three tags", Ethernet, ethernet(t, typeQinQ, tag(typeVLAN), tag(typeVLAN), tag(typeIPv4), tcp), wantTCP(host4, dest4, "")},
		{"linux cooked", SLL, sll(typeIPv4, 6, tcp), wantTCP(host4, dest4, "")},
		{"linux cooked, address longer than the packet", SLL, sll(typeIPv4, 255, tcp), wantTCP(host4, dest4, "")},
		{"linux cooked, vlan", SLL, sll(typeVLAN, 6, slices.Concat(tag(typeIPv4), tcp)), wantTCP(host4, dest4, "")},
		{"linux cooked 2", SLL2, sll2(typeIPv6, tcp6), wantTCP(host6, dest6, "")},
		{"linux cooked 2, vlan", SLL2, sll2(typeVLAN, slices.Concat(tag(typeIPv4), udp)), wantUDP(host4, dest4, "open sesame")},
		{"raw, 4", Raw, tcp, wantTCP(host4, dest4, "")},
		{"raw, 6", Raw, tcp6, wantTCP(host6, dest6, "")},
		{"raw 12", RawBSD, tcp, wantTCP(host4, dest4, "")},
		{"raw 14", RawOther, tcp6, wantTCP(host6, dest6, "")},
		{"ipv4", IPv4, tcp, wantTCP(host4, dest4, "")},
		{"ipv6", IPv6, tcp6, wantTCP(host6, dest6, "")},
		{"null, little endian", Null, append([]byte{2, 0, 0, 0}, tcp...), wantTCP(host4, dest4, "")},
		{"null, big endian", Null, append([]byte{0, 0, 0, 2}, tcp...), wantTCP(host4, dest4, "")},
		{"null, macOS", Null, append([]byte{30, 0, 0, 0}, tcp6...), wantTCP(host6, dest6, "")},
		{"loop", Loop, append([]byte{0, 0, 0, 24}, tcp6...), wantTCP(host6, dest6, "")},
		{"ipv4 options", IPv4, serialize(t, &options, &layers.TCP{SrcPort: 40000, DstPort: 7421, SYN: true, Seq: 1000}), wantTCP(host4, dest4, "")},
		{"payload", IPv4, syn4(t, "fast open"), wantTCP(host4, dest4, "fast open")},
		{"udp without payload", IPv4, udp4(t, ""), wantUDP(host4, dest4, "")},
		{"icmp", IPv4, icmp4(t, "ping"), icmp},
		{"icmp6", IPv6, ip6(t, layers.IPProtocolICMPv6, []byte{128, 0, 0, 0, 0, 1, 0, 1}, []byte("ping")), icmp6},

		{"hop-by-hop", IPv6, ip6(t, layers.IPProtocolIPv6HopByHop, hopByHop, udpSegment(t, "x")), wantUDP(host6, dest6, "x")},
		{"hop-by-hop, padded frame", Ethernet, ethernet(t, typeIPv6,
			ip6(t, layers.IPProtocolIPv6HopByHop, hopByHop, udpSegment(t, "x")), []byte("garbage")), wantUDP(host6, dest6, "x")},
		{"all extensions", IPv6, ip6(t, layers.IPProtocolIPv6HopByHop,
			extension(layers.IPProtocolIPv6Destination, 8), extension(layers.IPProtocolIPv6Routing, 24),
			extension(layers.IPProtocolIPv6Fragment, 24), fragmentHeader(layers.IPProtocolAH, 0, false),
			ah(layers.IPProtocolIPv6Destination, 28), extension(layers.IPProtocolTCP, 8), tcpSegment(t, "")), wantTCP(host6, dest6, "")},
		{"atomic fragment", IPv6, ip6(t, layers.IPProtocolIPv6Fragment,
			fragmentHeader(layers.IPProtocolUDP, 0, false), udpSegment(t, "x")), wantUDP(host6, dest6, "x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p Packet
			if drop := NewDecoder().Decode(test.link, test.frame, len(test.frame), &p); drop != NotDropped {
				t.Fatalf("got %v, want kept", drop)
			}
			compare(t, p, test.want)
		})
	}
}

func TestDecodeDrops(t *testing.T) {
	tcp, udp := syn4(t, ""), udp4(t, "open sesame")
	tcp6 := ip6(t, layers.IPProtocolTCP, tcpSegment(t, ""))
	mapped := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9}
	withOption := func(option ...byte) []byte {
		b := with(tcp, 3, byte(len(tcp)+4))
		b = with(b, 32, 6<<4)
		return append(b, append(option, 0, 0, 0, 0)[:4]...)
	}

	for _, test := range []struct {
		name  string
		link  LinkType
		frame []byte
		want  Drop
	}{
		{"empty frame", Ethernet, nil, Malformed},
		{"ethernet header cut short", Ethernet, make([]byte, 13), Malformed},
		{"arp", Ethernet, ethernet(t, layers.EthernetTypeARP, make([]byte, 28)), NotIP},
		{"802.3 length", Ethernet, ethernet(t, 38, make([]byte, 38)), NotIP},
		{"tag at the end", Ethernet, ethernet(t, typeVLAN, []byte{0, 1}), Malformed},
		{"nothing but tags", Ethernet, ethernet(t, typeVLAN, slices.Repeat(tag(typeVLAN), 300)), Malformed},
		{"wireless", 105, tcp, NotIP},
		{"raw, version 5", Raw, with(tcp, 0, 0x55), NotIP},
		{"raw, empty", Raw, nil, Malformed},
		{"null, unknown family", Null, append([]byte{7, 0, 0, 0}, tcp...), NotIP},
		{"null, nonsense family", Null, append([]byte{7, 7, 7, 7}, tcp...), NotIP},

		{"ipv6 in an ipv4 frame", Ethernet, ethernet(t, typeIPv4, tcp6), Malformed},
		{"ipv4 in an ipv6 frame", Ethernet, ethernet(t, typeIPv6, tcp), Malformed},
		{"short ipv4 header", IPv4, tcp[:19], Malformed},
		{"header length 4", IPv4, with(tcp, 0, 0x44), Malformed},
		{"header longer than the packet", IPv4, with(tcp, 0, 0x4f), Malformed},
		{"total length 19", IPv4, with(tcp, 2, 0, 19), Malformed},
		{"total length 0", IPv4, with(tcp, 2, 0, 0), Malformed},
		{"total length beyond the frame", IPv4, with(tcp, 2, 0, 41), Malformed},
		{"first fragment", IPv4, with(tcp, 6, 0x20, 0), Fragment},
		{"last fragment", IPv4, with(tcp, 6, 0, 1), Fragment},
		{"don't fragment", IPv4, with(tcp, 6, 0x40, 0), NotDropped},
		{"gre", IPv4, with(tcp, 9, 47), OtherProtocol},
		{"ipv4 in ipv4", IPv4, slices.Concat(with(tcp[:20], 2, 0, 60, 0, 0, 0, 0, 64, 4), tcp), OtherProtocol},
		{"ipv6 in ipv4", IPv4, slices.Concat(with(tcp[:20], 2, 0, 80, 0, 0, 0, 0, 64, 41), tcp6), OtherProtocol},
		{"icmp6 in ipv4", IPv4, with(tcp, 9, 58), OtherProtocol},

		{"no tcp header", IPv4, with(tcp[:20], 2, 0, 20), Malformed},
		{"half a tcp header", IPv4, with(tcp[:30], 2, 0, 30), Malformed},
		{"data offset 4", IPv4, with(tcp, 32, 4<<4), Malformed},
		{"data offset beyond the packet", IPv4, with(tcp, 32, 6<<4), Malformed},
		{"data offset beyond the packet, within the frame", IPv4, append(with(tcp, 32, 6<<4), 0, 0, 0, 0), Malformed},
		{"option of length 0", IPv4, withOption(2, 0), Malformed},
		{"option beyond the header", IPv4, withOption(2, 40), Malformed},
		{"option without length", IPv4, withOption(1, 1, 1, 2), Malformed},
		{"good option", IPv4, withOption(2, 4, 5, 180), NotDropped},
		{"half a udp header", IPv4, with(udp[:24], 2, 0, 24), Malformed},
		{"udp length 0", IPv4, with(udp, 24, 0, 0), Malformed},
		{"udp length 7", IPv4, with(udp, 24, 0, 7), Malformed},
		{"udp length beyond the packet", IPv4, with(udp, 24, 0, 20), Malformed},
		{"udp length shorter than the packet", IPv4, with(udp, 24, 0, 18), NotDropped},
		{"icmp of 4 bytes", IPv4, with(icmp4(t, "")[:24], 2, 0, 24), Malformed},

		{"short ipv6 header", IPv6, tcp6[:39], Malformed},
		{"ipv6 length beyond the frame", IPv6, with(tcp6, 4, 0, 21), Malformed},
		{"ipv6 length 0", IPv6, with(tcp6, 4, 0, 0), Malformed},
		{"ipv6 without a next header", IPv6, with(tcp6, 6, 59), OtherProtocol},
		{"esp", IPv6, with(tcp6, 6, 50), OtherProtocol},
		{"icmp4 in ipv6", IPv6, with(tcp6, 6, 1), OtherProtocol},
		{"ipv4 in ipv6", IPv6, with(tcp6, 6, 4), OtherProtocol},
		{"ipv4-mapped source", IPv6, with(tcp6, 8, mapped...), Malformed},
		{"ipv4-mapped destination", IPv6, with(tcp6, 24, mapped...), Malformed},
		{"hop-by-hop second", IPv6, ip6(t, layers.IPProtocolIPv6Destination,
			extension(layers.IPProtocolIPv6HopByHop, 8), extension(layers.IPProtocolTCP, 8), tcpSegment(t, "")), Malformed},
		{"extension beyond the packet", IPv6, ip6(t, layers.IPProtocolIPv6Routing,
			with(extension(layers.IPProtocolTCP, 8), 1, 200), tcpSegment(t, "")), Malformed},
		{"half an extension", IPv6, ip6(t, layers.IPProtocolIPv6Routing, []byte{6, 0, 0}), Malformed},
		{"ah beyond the packet", IPv6, ip6(t, layers.IPProtocolAH, with(ah(layers.IPProtocolTCP, 24), 1, 99)), Malformed},
		{"first ipv6 fragment", IPv6, ip6(t, layers.IPProtocolIPv6Fragment,
			fragmentHeader(layers.IPProtocolTCP, 0, true), tcpSegment(t, "")), Fragment},
		{"later ipv6 fragment", IPv6, ip6(t, layers.IPProtocolIPv6Fragment,
			fragmentHeader(layers.IPProtocolTCP, 3, false), tcpSegment(t, "")), Fragment},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p Packet
			if drop := NewDecoder().Decode(test.link, test.frame, len(test.frame), &p); drop != test.want {
				t.Errorf("got %v, want %v", drop, test.want)
			}
		})
	}
}

// A snap length may cut a packet anywhere. Cut within its headers it is dropped as truncated. Cut
// after them it is a knock with an incomplete payload.
func TestDecodeCut(t *testing.T) {
	for _, test := range []struct {
		name    string
		frame   []byte
		headers int // how many bytes of the frame are headers
	}{
		{"tcp", ethernet(t, typeIPv4, syn4(t, "fast open")), 14 + 20 + 20},
		{"udp", ethernet(t, typeIPv4, udp4(t, "open sesame")), 14 + 20 + 8},
		{"icmp", ethernet(t, typeVLAN, tag(typeIPv4), icmp4(t, "ping")), 18 + 20 + 8},
		{"ipv6", ethernet(t, typeIPv6, ip6(t, layers.IPProtocolIPv6HopByHop,
			extension(layers.IPProtocolIPv6Fragment, 16), fragmentHeader(layers.IPProtocolUDP, 0, false),
			udpSegment(t, "open sesame"))), 14 + 40 + 16 + 8 + 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := NewDecoder()
			for n := range len(test.frame) + 1 {
				want := NotDropped
				if n < test.headers {
					want = Truncated
				}
				var p Packet
				if drop := d.Decode(Ethernet, test.frame[:n], len(test.frame), &p); drop != want {
					t.Fatalf("first %d bytes: got %v, want %v", n, drop, want)
				}
				if cut := n < len(test.frame); want == NotDropped && p.Cut != cut {
					t.Errorf("first %d bytes: cut is %v", n, p.Cut)
				}
				if want == NotDropped && string(p.Payload) != string(test.frame[test.headers:n]) {
					t.Errorf("first %d bytes: payload %q", n, p.Payload)
				}
			}
		})
	}
}

func TestDecodeCutAndMalformed(t *testing.T) {
	d, long := NewDecoder(), syn4(t, "a payload that the capture cuts")
	for _, test := range []struct {
		name  string
		link  LinkType
		frame []byte
	}{
		{"data offset", Raw, with(long, 32, 4<<4)[:41]},
		{"total length beyond the wire", Raw, with(long, 2, 1, 0)[:41]},
		{"version", IPv4, with(long, 0, 0x65)[:10]},
		{"tcp header beyond the packet", Raw, with(with(long, 2, 0, 44), 32, 15<<4)[:41]},
		{"ipv6 extension beyond the packet", Raw, ip6(t, layers.IPProtocolIPv6Routing, with(extension(layers.IPProtocolTCP, 8), 1, 2))},
	} {
		var p Packet
		if drop := d.Decode(test.link, test.frame, 200, &p); drop != Malformed {
			t.Errorf("%s: got %v, want malformed", test.name, drop)
		}
	}
}

// Bytes between the end of a datagram and the end of its packet are no payload.
func TestDecodeCutBehindDatagram(t *testing.T) {
	var p Packet
	frame := with(udp4(t, "open sesame"), 24, 0, 12)[:33]
	if drop := NewDecoder().Decode(Raw, frame, 39, &p); drop != NotDropped || p.Cut || string(p.Payload) != "open" {
		t.Errorf("got %v, payload %q, cut %v", drop, p.Payload, p.Cut)
	}
}

// No field of a packet may stay in the next one.
func TestDecodeOverwrites(t *testing.T) {
	d := NewDecoder()
	var p Packet
	d.Decode(IPv4, syn4(t, "fast open")[:45], 49, &p)
	d.Decode(IPv4, udp4(t, ""), 28, &p)
	compare(t, p, wantUDP("203.0.113.9", "192.0.2.1", ""))
}

func TestDecodeAllocatesNothing(t *testing.T) {
	d := NewDecoder()
	var p Packet
	for _, frame := range [][]byte{
		ethernet(t, typeIPv4, syn4(t, "")),
		ethernet(t, typeIPv4, udp4(t, "open sesame")),
		ethernet(t, typeIPv4, icmp4(t, "ping")),
		ethernet(t, typeVLAN, tag(typeIPv4), with(syn4(t, ""), 6, 0x20)),
		ethernet(t, typeIPv6, ip6(t, layers.IPProtocolIPv6HopByHop, extension(layers.IPProtocolUDP, 1024), udpSegment(t, "x"))),
		ethernet(t, typeIPv6, ip6(t, layers.IPProtocolIPv6Routing, make([]byte, 7))),
		ethernet(t, layers.EthernetTypeARP, make([]byte, 28)),
	} {
		if n := testing.AllocsPerRun(100, func() { d.Decode(Ethernet, frame, len(frame), &p) }); n != 0 {
			t.Errorf("%x: %v allocations", frame, n)
		}
	}
}

func TestPayloadAliasesTheFrame(t *testing.T) {
	frame := udp4(t, "open sesame")
	var p Packet
	NewDecoder().Decode(IPv4, frame, len(frame), &p)
	frame[len(frame)-1] = 'E'
	if string(p.Payload) != "open sesamE" {
		t.Errorf("payload is %q: a copy", p.Payload)
	}
}

func FuzzDecode(f *testing.F) {
	tcp6 := ip6(f, layers.IPProtocolIPv6HopByHop, extension(layers.IPProtocolIPv6Fragment, 16),
		fragmentHeader(layers.IPProtocolTCP, 0, false), tcpSegment(f, "x"))
	f.Add(uint16(Ethernet), ethernet(f, typeVLAN, tag(typeIPv4), syn4(f, "x")), 100)
	f.Add(uint16(Ethernet), ethernet(f, typeIPv6, tcp6), 0)
	f.Add(uint16(SLL), sll(typeIPv4, 255, udp4(f, "x")), 0)
	f.Add(uint16(SLL2), sll2(typeIPv6, tcp6), 1000)
	f.Add(uint16(Null), append([]byte{2, 0, 0, 0}, icmp4(f, "x")...), 0)
	for _, test := range linkFrames(f) {
		f.Add(uint16(test.link), test.frame, 0)
	}
	f.Add(uint16(Raw), with(syn4(f, ""), 32, 15<<4), 0)
	f.Add(uint16(Raw), filled(options(syn4(f, ""), 1, 131, 7, 4, 192, 0, 2, 7)), 0)
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, link uint16, frame []byte, wire int) {
		var p, again Packet
		drop := d.Decode(LinkType(link), frame, wire, &p)
		if fresh := NewDecoder().Decode(LinkType(link), frame, wire, &again); fresh != drop {
			t.Fatalf("a used decoder says %v, a new one %v", drop, fresh)
		}
		// What was received now is judged no less strictly than what is in a capture.
		if live := d.DecodeReceived(LinkType(link), frame, wire, Live, &again); live == NotDropped && drop != NotDropped && !again.Source.IsLoopback() {
			t.Fatalf("received now it is kept, and in a capture %v", drop)
		}
		NewDecoder().Decode(LinkType(link), frame, wire, &again)
		switch drop {
		case NotDropped:
			checkKept(t, frame, &p)
			compare(t, p, again)
		case Truncated:
			if wire <= len(frame) {
				t.Fatalf("truncated, though %d bytes of %d were captured", len(frame), wire)
			}
		case NotIP, Malformed, Fragment, OtherProtocol:
		case NotLocal, NotWatched, OtherPayload, Retransmit, Duplicate:
			t.Fatalf("%v is not the decoder's to say", drop)
		}
	})
}

func checkKept(t *testing.T, frame []byte, p *Packet) {
	t.Helper()
	if !p.Source.IsValid() || p.Source.Is4In6() || p.Source.Is4() != p.Dest.Is4() || p.Port.Proto == NoProto {
		t.Fatalf("kept %+v", p)
	}
	if p.Source.IsMulticast() || p.Source == broadcast || p.Source.IsUnspecified() && !p.Dest.IsMulticast() && p.Dest != broadcast ||
		p.Source.IsLoopback() != p.Dest.IsLoopback() {
		t.Fatalf("kept a packet from %v to %v", p.Source, p.Dest)
	}
	if len(p.Payload) > len(frame) {
		t.Fatalf("%d bytes of payload in a frame of %d", len(p.Payload), len(frame))
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name  string
		frame []byte
	}{
		{"tcp4", ethernet(b, typeIPv4, syn4(b, ""))},
		{"udp4", ethernet(b, typeIPv4, udp4(b, "open sesame"))},
		{"tcp6", ethernet(b, typeIPv6, ip6(b, layers.IPProtocolTCP, tcpSegment(b, "")))},
		{"extensions", ethernet(b, typeIPv6, ip6(b, layers.IPProtocolIPv6HopByHop, extension(layers.IPProtocolUDP, 16), udpSegment(b, "x")))},
		{"vlan", ethernet(b, typeVLAN, tag(typeIPv4), syn4(b, ""))},
		{"arp", ethernet(b, layers.EthernetTypeARP, make([]byte, 28))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			d := NewDecoder()
			var p Packet
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(Ethernet, bench.frame, len(bench.frame), &p)
			}
		})
	}
}
