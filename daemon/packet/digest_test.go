package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"
)

func kept(t testing.TB, link LinkType, frame []byte) Packet {
	t.Helper()
	var p Packet
	if drop := NewDecoder().Decode(link, frame, len(frame), &p); drop != NotDropped {
		t.Fatalf("%x: %v", frame, drop)
	}
	return p
}

// The digests are in recordings, so they never change.
func TestDigestIsFixed(t *testing.T) {
	for _, test := range []struct {
		name         string
		link         LinkType
		frame        []byte
		digest, head uint64
	}{
		{"tcp", Ethernet, ethernet(t, typeIPv4, syn4(t, "")), 0x819191fab55b7b0f, 0xac904e6b8076e0bd},
		{"udp", Raw, udp4(t, "open sesame"), 0x51ba59f8f495d250, 0},
		{"ipv6", Ethernet, ethernet(t, typeIPv6, ip6(t, layers.IPProtocolTCP, tcpSegment(t, ""))), 0x9696d55978363d74, 0xf1f255c7e39525b6},
	} {
		if p := kept(t, test.link, test.frame); p.Digest != test.digest || p.LinkDigest != test.head {
			t.Errorf("%s: digest %#x, of the link %#x", test.name, p.Digest, p.LinkDigest)
		}
	}
}

// A copy of a packet has its digest, whatever link it comes by and how far it went. With any other
// bit changed it is another packet.
func TestDigestOfCopies(t *testing.T) {
	for _, ip := range [][]byte{
		syn4(t, "fast open"), udp4(t, "open sesame"), ip6(t, layers.IPProtocolUDP, udpSegment(t, "x")),
		options(udp4(t, "x"), 7, 7, 4, 0, 0, 0, 0, 0), icmp4(t, "ping"),
	} {
		kind := typeOf(ip)
		hops, version := 8, IPv4
		if kind == typeIPv6 {
			hops, version = 7, IPv6
		}
		want := kept(t, Raw, ip).Digest
		routed := with(ip, hops, 9)
		if version == IPv4 {
			routed = with(routed, 10, 0, 0)
			sum := naiveSum(routed[:int(routed[0]&0xf)*4])
			routed = with(routed, 10, byte(sum>>8), byte(sum))
		}
		for name, got := range map[string]Packet{
			"ethernet, padded": kept(t, Ethernet, ethernet(t, kind, ip, make([]byte, 9))),
			"a tag":            kept(t, Ethernet, ethernet(t, typeVLAN, tag(kind), ip)),
			"cooked":           kept(t, SLL2, sll2(kind, ip)),
			"without header":   kept(t, version, ip),
			"routed":           kept(t, Raw, routed),
		} {
			if got.Digest != want {
				t.Errorf("%s: digest %#x, want %#x", name, got.Digest, want)
			}
		}
		for bit := range 8 * len(ip) {
			changed := slices.Clone(ip)
			changed[bit/8] ^= 1 << (bit % 8)
			var p Packet
			mutable := bit/8 == hops || version == IPv4 && (bit/8 == 10 || bit/8 == 11)
			if NewDecoder().DecodeReceived(version, changed, len(ip), Judged, &p) == NotDropped && (p.Digest == want) != mutable {
				t.Fatalf("bit %d of %x: digest is equal: %v", bit, ip, p.Digest == want)
			}
		}
	}
}

func TestLinkDigest(t *testing.T) {
	ip := syn4(t, "")
	plain := kept(t, Ethernet, ethernet(t, typeIPv4, ip)).LinkDigest
	for name, frame := range map[string][]byte{
		"another address": with(ethernet(t, typeIPv4, ip), 5, 9),
		"a tag":           ethernet(t, typeVLAN, tag(typeIPv4), ip),
	} {
		if got := kept(t, Ethernet, frame).LinkDigest; got == plain || got == 0 {
			t.Errorf("%s: %#x, without it %#x", name, got, plain)
		}
	}
	if got := kept(t, Ethernet, ethernet(t, typeIPv4, udp4(t, "x"))).LinkDigest; got != plain {
		t.Errorf("another packet on the same link: %#x, want %#x", got, plain)
	}
	if in, out := kept(t, SLL, sll(typeIPv4, 6, ip)), kept(t, SLL, with(sll(typeIPv4, 6, ip), 1, 4)); in.LinkDigest == out.LinkDigest {
		t.Error("received and sent look alike")
	}
	if p := kept(t, Raw, ip); p.LinkDigest != 0 {
		t.Errorf("without a header: %#x", p.LinkDigest)
	}
}

func TestIdentification(t *testing.T) {
	if p := kept(t, Raw, with(syn4(t, ""), 4, 0x12, 0x34, 0, 0, 64, 6, 0, 0)); p.ID != 0x1234 || !p.MayFragment {
		t.Errorf("ID %#x, may fragment: %v", p.ID, p.MayFragment)
	}
	if p := kept(t, Raw, with(syn4(t, ""), 6, 0x40)); p.MayFragment {
		t.Error("the flag \"don't fragment\" is not heeded")
	}
	if p := kept(t, Raw, ip6(t, layers.IPProtocolTCP, tcpSegment(t, ""))); p.ID != 0 || p.MayFragment {
		t.Errorf("IPv6: ID %#x, may fragment: %v", p.ID, p.MayFragment)
	}
}

func TestInterface(t *testing.T) {
	p := kept(t, SLL2, sll2(typeIPv4, syn4(t, "")))
	if p.Interface != 2 {
		t.Errorf("cooked 2: interface %d", p.Interface)
	}
	seen := map[uint32]bool{}
	for number := range uint32(3) {
		for _, frame := range [][]byte{syn4(t, ""), sll2(typeIPv4, syn4(t, ""))} {
			link := Raw
			if len(frame) > 50 {
				link = SLL2
			}
			p := kept(t, link, frame)
			p.CameBy(number)
			seen[p.Interface] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("of 6 interfaces, %d differ: %v", len(seen), seen)
	}
}

// Of what is dropped, the packet has what could be read.
func TestDroppedPackets(t *testing.T) {
	tcp, udp := syn4(t, ""), udp4(t, "open sesame")
	udp6 := ip6(t, layers.IPProtocolUDP, udpSegment(t, "x"))
	fragment6 := ip6(t, layers.IPProtocolIPv6Fragment, fragmentHeader(layers.IPProtocolUDP, 0, true), udpSegment(t, "x"))
	later6 := ip6(t, layers.IPProtocolIPv6Fragment, fragmentHeader(layers.IPProtocolUDP, 3, false), udpSegment(t, "x"))
	const host4, host6 = "203.0.113.9", "2001:db8::9"
	for _, test := range []struct {
		name   string
		ip     []byte
		have   int // bytes that were captured; 0: all
		want   Drop
		source string
		port   Port
		flags  Flags
	}{
		{"first fragment", with(tcp, 6, 0x20, 0), 0, Fragment, host4, Port{TCP, 7421}, SYN},
		{"later fragment", with(tcp, 6, 0, 1), 0, Fragment, host4, Port{Proto: TCP}, 0},
		{"first fragment, IPv6", fragment6, 0, Fragment, host6, Port{UDP, 9133}, 0},
		{"later fragment, IPv6", later6, 0, Fragment, host6, Port{Proto: UDP}, 0},
		{"cut before the addresses", tcp, 19, Truncated, "", Port{}, 0},
		{"cut behind them", tcp, 20, Truncated, host4, Port{Proto: TCP}, 0},
		{"cut within the ports", tcp, 23, Truncated, host4, Port{Proto: TCP}, 0},
		{"cut behind the ports", tcp, 24, Truncated, host4, Port{TCP, 7421}, 0},
		{"cut before the flags", tcp, 33, Truncated, host4, Port{TCP, 7421}, 0},
		{"cut behind the flags", tcp, 34, Truncated, host4, Port{TCP, 7421}, SYN},
		{"udp, cut", udp, 27, Truncated, host4, Port{UDP, 9133}, 0},
		{"IPv6, cut", udp6, 45, Truncated, host6, Port{UDP, 9133}, 0},
		{"IPv6, cut before the addresses", udp6, 39, Truncated, "", Port{}, 0},
		{"wrong checksum", with(filled(tcp), 37, filled(tcp)[37]^1), 0, Malformed, host4, Port{TCP, 7421}, SYN},
		{"TTL 0", with(tcp, 8, 0), 0, Malformed, host4, Port{TCP, 7421}, SYN},
		{"longer than the frame", with(tcp, 2, 0, 99), 0, Malformed, host4, Port{TCP, 7421}, SYN},
		{"IPv4-mapped", with(udp6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9), 0, Malformed, "::ffff:203.0.113.9", Port{UDP, 9133}, 0},
		{"another protocol", with(tcp, 9, 47), 0, OtherProtocol, host4, Port{}, 0},
		{"another version", with(tcp, 0, 0x75), 0, NotIP, "", Port{}, 0},
	} {
		if test.have == 0 {
			test.have = len(test.ip)
		}
		d := NewDecoder()
		var p Packet
		d.Decode(Raw, syn4(t, "a packet before"), 60, &p)
		drop := d.Decode(Raw, test.ip[:test.have], len(test.ip), &p)
		source := ""
		if p.Source.IsValid() {
			source = p.Source.String()
		}
		if drop != test.want || source != test.source || p.Port != test.port || p.Flags != test.flags ||
			p.Dest.IsValid() != p.Source.IsValid() || (p.SourcePort != 0) != (p.Port.Number != 0) {
			t.Errorf("%s: %v, from %q to %v, port %v, flags %v", test.name, drop, source, p.Dest, p.Port, p.Flags)
		}
		if p.Digest != 0 || p.LinkDigest != 0 || p.Payload != nil {
			t.Errorf("%s: a dropped packet has the payload %q", test.name, p.Payload)
		}
	}
}

// gopacket reads the same fields from packets in which bytes were changed.
func TestDecodeAgreesWithGopacket(t *testing.T) {
	agreed := 0
	rapid.Check(t, func(rt *rapid.T) {
		ip := rapid.SampledFrom([][]byte{
			syn4(t, "fast open"), udp4(t, "open sesame"), options(syn4(t, ""), 7, 7, 4, 0, 0, 0, 0, 0),
			options(udp4(t, "x"), 1, 148, 4, 0, 0, 1, 1, 0),
			append(with(syn4(t, ""), 3, 48, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 192, 0, 2, 1, 156, 64, 28, 253, 0, 0, 3, 232, 0, 0, 0, 0, 7<<4), 2, 4, 5, 180, 1, 1, 0, 0),
		}).Draw(rt, "packet")
		ip = slices.Clone(ip)
		for range rapid.IntRange(0, 3).Draw(rt, "changes") {
			at := rapid.IntRange(0, len(ip)-1).Draw(rt, "at")
			ip[at] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{ip[at] + 1, ip[at] - 1, 0, 1})).Draw(rt, "byte")
		}
		ip = ip[:rapid.IntRange(len(ip)*9/10, len(ip)).Draw(rt, "captured")]
		var p Packet
		drop := NewDecoder().DecodeReceived(Raw, ip, len(ip), Judged, &p)
		want, ok := reference(ip)
		if ok != (drop == NotDropped) {
			rt.Fatalf("%v, and the reference says %v: %x", drop, ok, ip)
		}
		if ok {
			agreed++
			compare(t, p, want)
		}
	})
	t.Logf("%d kept by both", agreed)
}

// reference decodes IPv4 with TCP or UDP by gopacket. It returns false for what must be dropped.
func reference(data []byte) (Packet, bool) {
	var ip layers.IPv4
	var p Packet
	nothing := feedback{}
	if len(data) < 20 || data[0]>>4 != 4 || binary.BigEndian.Uint16(data[2:]) == 0 || ip.DecodeFromBytes(data, &nothing) != nil ||
		int(ip.Length) > len(data) || ip.FragOffset != 0 || ip.Flags&layers.IPv4MoreFragments != 0 {
		return p, false
	}
	p.Source, p.Dest, p.ID = addressOf(ip.SrcIP), addressOf(ip.DstIP), ip.Id
	switch ip.Protocol {
	case layers.IPProtocolTCP:
		var tcp layers.TCP
		if tcp.DecodeFromBytes(ip.Payload, &nothing) != nil {
			return p, false
		}
		p.SourcePort, p.Port = uint16(tcp.SrcPort), Port{TCP, uint16(tcp.DstPort)}
		p.Sequence, p.Payload, p.Flags = tcp.Seq, tcp.Payload, Flags(tcp.Contents[13])
	case layers.IPProtocolUDP:
		var udp layers.UDP
		if udp.DecodeFromBytes(ip.Payload, &nothing) != nil || udp.Length < 8 || int(udp.Length) > len(ip.Payload) {
			return p, false
		}
		p.SourcePort, p.Port, p.Payload = uint16(udp.SrcPort), Port{UDP, uint16(udp.DstPort)}, udp.Payload
	case layers.IPProtocolICMPv4:
		p.Port, p.Payload = Port{Proto: ICMP}, ip.Payload
		if len(p.Payload) < 8 {
			return p, false
		}
		p.Payload = p.Payload[8:]
	default:
		return p, false
	}
	return p, true
}

// feedback is what gopacket tells that a packet is cut to.
type feedback struct{}

func (*feedback) SetTruncated() {}

func addressOf(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
