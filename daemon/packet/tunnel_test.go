package packet

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"
)

// outer4 returns an IPv4 packet with a protocol and contents.
func outer4(t testing.TB, protocol layers.IPProtocol, contents ...[]byte) []byte {
	ip := with(udp4(t, "")[:20], 12, 198, 51, 100, 7, 198, 51, 100, 8)
	body := slices.Concat(contents...)
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(body)))
	ip[9] = byte(protocol)
	return append(ip, body...)
}

// datagram returns a UDP header for contents.
func datagram(port uint16, contents ...[]byte) []byte {
	body := slices.Concat(contents...)
	b := binary.BigEndian.AppendUint16([]byte{0x9c, 0x40}, port)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(body)))
	return append(append(b, 0, 0), body...)
}

// A tunnelled is a packet in a tunnel. All is the set that looks into it.
type tunnelled struct {
	name string
	all  Tunnels
	ip   []byte
	v6   bool // the inner packet
}

func tunnelFrames(t testing.TB) []tunnelled {
	v4, v6 := syn4(t, ""), tcp6(t)
	frame4, tagged6 := ethernet(t, typeIPv4, v4), ethernet(t, typeVLAN, tag(typeIPv6), v6)
	vx, ge := []byte{8, 0, 0, 0, 0, 0, 42, 0}, []byte{0, 0, 0x65, 0x58, 0, 0, 42, 0}
	const gre, udp = layers.IPProtocolGRE, layers.IPProtocolUDP
	erspan2 := []byte{0x10, 7, 0, 1, 0, 0, 0, 0}
	erspan3 := []byte{0x20, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	return []tunnelled{
		{"gre", GRE, outer4(t, gre, []byte{0, 0, 8, 0}, v4), false},
		{"gre, IPv6", GRE, outer4(t, gre, []byte{0, 0, 0x86, 0xdd}, v6), true},
		{"gre, all fields", GRE, outer4(t, gre, []byte{0xb0, 0, 8, 0}, make([]byte, 12), v4), false},
		{"gre, key", GRE, outer4(t, gre, []byte{0x20, 0, 8, 0, 0, 0, 0, 9}, v4), false},
		{"gre, bridged", GRE, outer4(t, gre, []byte{0, 0, 0x65, 0x58}, tagged6), true},
		{"gre, mpls", GRE, outer4(t, gre, []byte{0, 0, 0x88, 0x47}, bottom, v4), false},
		{"gre over IPv6", GRE, ip6(t, gre, []byte{0, 0, 8, 0}, v4), false},
		{"erspan I", ERSPAN, outer4(t, gre, []byte{0, 0, 0x88, 0xbe}, frame4), false},
		{"erspan II", ERSPAN, outer4(t, gre, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1}, erspan2, frame4), false},
		{"erspan II, tagged", ERSPAN, outer4(t, gre, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1}, erspan2, tagged6), true},
		{"erspan III", ERSPAN, outer4(t, gre, []byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1}, erspan3, frame4), false},
		{"erspan III, platform", ERSPAN, outer4(t, gre, []byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1}, with(erspan3, 11, 1), make([]byte, 8), frame4), false},
		{"ipip", IPIP, outer4(t, layers.IPProtocolIPv4, v4), false},
		{"6in4", IPIP, outer4(t, layers.IPProtocolIPv6, v6), true},
		{"4in6", IPIP, ip6(t, layers.IPProtocolIPv4, v4), false},
		{"6in6", IPIP, ip6(t, layers.IPProtocolIPv6, v6), true},
		{"vxlan", VXLAN, outer4(t, udp, datagram(4789, vx, frame4)), false},
		{"vxlan over IPv6", VXLAN, ip6(t, udp, datagram(4789, vx, tagged6)), true},
		{"geneve", Geneve, outer4(t, udp, datagram(6081, ge, frame4)), false},
		{"geneve, options", Geneve, outer4(t, udp, datagram(6081, with(ge, 0, 2), make([]byte, 8), tagged6)), true},
		{"geneve, IP", Geneve, outer4(t, udp, datagram(6081, with(ge, 2, 8, 0), v4)), false},
		{"gre in ipip", GRE | IPIP, outer4(t, layers.IPProtocolIPv4, outer4(t, gre, []byte{0, 0, 8, 0}, v4)), false},
		{"vxlan in vxlan", VXLAN, outer4(t, udp, datagram(4789, vx, ethernet(t, typeIPv4, outer4(t, udp, datagram(4789, vx, frame4))))), false},
	}
}

const allTunnels = GRE | VXLAN | ERSPAN | IPIP | Geneve

// The innermost packet counts. Without the tunnel in the set, the outer one is what it is. Cut
// within the headers it is truncated.
func TestTunnels(t *testing.T) {
	for _, test := range tunnelFrames(t) {
		want := wantTCP("203.0.113.9", "192.0.2.1", "")
		if test.v6 {
			want = wantTCP("2001:db8::9", "2001:db8::1", "")
		}
		d := NewDecoder()
		d.Through(test.all)
		var p, outside Packet
		frame := ethernet(t, typeOf(test.ip), test.ip)
		if drop := d.Decode(Ethernet, frame, len(frame), &p); drop != NotDropped {
			t.Errorf("%s: %v", test.name, drop)
			continue
		}
		compare(t, p, want)
		inside := kept(t, map[bool]LinkType{false: IPv4, true: IPv6}[test.v6], innermost(t, test))
		if p.Digest != inside.Digest || p.LinkDigest == digest(frame[:14]) {
			t.Errorf("%s: digest %#x, and of the packet alone %#x", test.name, p.Digest, inside.Digest)
		}
		for n := range len(frame) {
			if drop := d.Decode(Ethernet, frame[:n], len(frame), &p); drop != Truncated {
				t.Fatalf("%s: the first %d of %d bytes: %v", test.name, n, len(frame), drop)
			}
		}
		d.Through(allTunnels &^ test.all)
		if drop := d.Decode(Ethernet, frame, len(frame), &outside); drop == NotDropped && outside.Port.Proto == TCP {
			t.Errorf("%s: looked into without being asked", test.name)
		}
	}
}

// Two packets that came the same way through a tunnel have one LinkDigest, whatever the outer
// packets count, and one that came another way has another.
func TestTheIdentityOfTunnels(t *testing.T) {
	v4 := syn4(t, "")
	frame4 := ethernet(t, typeIPv4, v4)
	const gre, udp = layers.IPProtocolGRE, layers.IPProtocolUDP
	erspan := func(kind byte, sequence, session byte, time byte, direction byte) []byte {
		header := []byte{kind << 4, 7, 0, session, 0, 0, 0, 0}
		protocol := []byte{0x88, 0xbe}
		if kind == 2 {
			header = append(header[:4], 0, 0, 0, time, 0, 0, 0, direction|1, 9, 9, time, time, time, time, 9, 9)
			protocol = []byte{0x22, 0xeb}
		}
		return outer4(t, gre, []byte{0x10, 0}, protocol, []byte{0, 0, 0, sequence}, header, frame4)
	}
	base := outer4(t, gre, []byte{0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}, v4)
	vx := outer4(t, udp, datagram(4789, []byte{8, 0, 0, 0, 0, 0, 42, 0}, frame4))
	for _, test := range []struct {
		name      string
		one, next []byte
		same      bool
	}{
		{"ID, time to live, checksum", base, with(base, 4, 1, 2, 0, 0, 63, 47, 1, 2), true},
		{"checksum of GRE", base, with(base, 24, 1, 2), true},
		{"sequence of GRE", base, with(base, 32, 1, 2, 3, 4), true},
		{"key of GRE", base, with(base, 31, 8), false},
		{"source", base, with(base, 15, 9), false},
		{"destination", base, with(base, 19, 9), false},
		{"sequence of ERSPAN", erspan(1, 1, 1, 0, 0), erspan(1, 2, 1, 0, 0), true},
		{"session of ERSPAN", erspan(1, 1, 1, 0, 0), erspan(1, 1, 2, 0, 0), false},
		{"time of ERSPAN III", erspan(2, 1, 1, 1, 0), erspan(2, 2, 1, 2, 0), true},
		{"session of ERSPAN III", erspan(2, 1, 1, 1, 0), erspan(2, 2, 2, 1, 0), false},
		{"direction of ERSPAN III", erspan(2, 1, 1, 1, 0), erspan(2, 2, 1, 1, 8), false},
		{"source port of VXLAN", vx, with(vx, 20, 1, 2), true},
		{"network of VXLAN", vx, with(vx, 34, 43), false},
		{"inner MAC address", vx, with(vx, 36, 2, 2, 2), false},
		{"inner of two", outer4(t, layers.IPProtocolIPv4, vx), outer4(t, layers.IPProtocolIPv4, with(vx, 34, 43)), false},
	} {
		d := NewDecoder()
		d.Through(allTunnels)
		var one, next Packet
		if drop := d.Decode(Raw, test.one, len(test.one), &one); drop != NotDropped {
			t.Errorf("%s: %v", test.name, drop)
		}
		if drop := d.Decode(Raw, test.next, len(test.next), &next); drop != NotDropped {
			t.Errorf("%s: %v", test.name, drop)
		}
		if one.Digest != next.Digest || (one.LinkDigest == next.LinkDigest) != test.same || one.LinkDigest == 0 {
			t.Errorf("%s: %#x and %#x", test.name, one.LinkDigest, next.LinkDigest)
		}
	}
}

// innermost returns the packet in a tunnel: it ends where the tunnel ends.
func innermost(t testing.TB, test tunnelled) []byte {
	if test.v6 {
		return test.ip[len(test.ip)-len(tcp6(t)):]
	}
	return test.ip[len(test.ip)-len(syn4(t, "")):]
}

// What is no tunnel, or not one that can be read, is the packet that it is.
func TestNotTunnels(t *testing.T) {
	v4 := syn4(t, "")
	frame4 := ethernet(t, typeIPv4, v4)
	const gre, udp = layers.IPProtocolGRE, layers.IPProtocolUDP
	deep := v4
	for range 12 {
		deep = outer4(t, layers.IPProtocolIPv4, deep)
	}
	for _, test := range []struct {
		name string
		ip   []byte
		want Drop
		port uint16
	}{
		{"gre of version 1", outer4(t, gre, []byte{0x20, 1, 0x88, 0x0b, 0, 0, 0, 0}, v4), OtherProtocol, 0},
		{"gre with routing", outer4(t, gre, []byte{0x40, 0, 8, 0, 0, 0, 0, 0}, v4), OtherProtocol, 0},
		{"gre with another protocol", outer4(t, gre, []byte{0, 0, 0x20, 1}, v4), NotIP, 0},
		{"gre with arp", outer4(t, gre, []byte{0, 0, 0x65, 0x58}, ethernet(t, layers.EthernetTypeARP, make([]byte, 28))), NotIP, 0},
		{"vxlan without its flag", outer4(t, udp, datagram(4789, make([]byte, 8), frame4)), NotDropped, 4789},
		{"geneve of another version", outer4(t, udp, datagram(6081, []byte{0x40, 0, 0x65, 0x58, 0, 0, 0, 0}, frame4)), NotDropped, 6081},
		{"another port", outer4(t, udp, datagram(4790, []byte{8, 0, 0, 0, 0, 0, 0, 0}, frame4)), NotDropped, 4790},
		{"a fragment", with(outer4(t, gre, []byte{0, 0, 8, 0}, v4), 6, 0x20), Fragment, 0},
		{"no tunnel", v4, NotDropped, 7421},
		{"twelve deep", deep, OtherProtocol, 0},
	} {
		d := NewDecoder()
		d.Through(allTunnels)
		var p Packet
		if drop := d.Decode(Raw, test.ip, len(test.ip), &p); drop != test.want || p.Port.Number != test.port {
			t.Errorf("%s: %v, port %v", test.name, drop, p.Port)
		}
	}
}

func TestParseTunnels(t *testing.T) {
	if got, err := ParseTunnels([]string{"gre", " VXLAN", "erspan", "ipip", "geneve", "gre"}); got != allTunnels || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseTunnels(nil); got != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	const want = `"l2tp" is no tunnel that Sesame looks into: expected gre, vxlan, erspan, ipip or geneve`
	if _, err := ParseTunnels([]string{"gre", "l2tp"}); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestTunnelsAllocateNothing(t *testing.T) {
	d := NewDecoder()
	d.Through(allTunnels)
	var p Packet
	for _, test := range tunnelFrames(t) {
		if n := testing.AllocsPerRun(100, func() { d.Decode(Raw, test.ip, len(test.ip), &p) }); n != 0 {
			t.Errorf("%s: %v allocations", test.name, n)
		}
	}
}

// Whatever the bytes are, a tunnel leads forward and not far.
func FuzzTunnels(f *testing.F) {
	for _, test := range tunnelFrames(f) {
		f.Add(test.ip, byte(allTunnels))
		f.Add(test.ip[:len(test.ip)-41], byte(test.all))
	}
	f.Fuzz(func(t *testing.T, frame []byte, set byte) {
		carries, offset := Raw.Network(frame)
		inner, at := Tunnels(set).Strip(carries, frame, offset)
		if at < offset || at > len(frame)+4*255 || inner == 0 && at <= len(frame) && carries != 0 && at != offset && !strings.HasPrefix(inner.String(), "EtherType") {
			t.Fatalf("from %d to %d of %d bytes: %v", offset, at, len(frame), inner)
		}
		d, fresh := NewDecoder(), NewDecoder()
		d.Through(Tunnels(set))
		fresh.Through(Tunnels(set))
		var p, again Packet
		d.Decode(Raw, udp4(t, "a packet before"), 100, &p)
		if first, second := d.Decode(Raw, frame, len(frame), &p), fresh.Decode(Raw, frame, len(frame), &again); first != second {
			t.Fatalf("a used decoder says %v, a new one %v", first, second)
		} else if first == NotDropped {
			checkKept(t, frame, &p)
			compare(t, p, again)
		}
	})
}

// A random tunnel in a random tunnel is read as both say.
func TestTunnelsInTunnels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ip, depth := syn4(t, "fast open"), rapid.IntRange(0, deepest).Draw(rt, "depth")
		for range depth {
			switch rapid.IntRange(0, 3).Draw(rt, "tunnel") {
			case 0:
				ip = outer4(t, layers.IPProtocolGRE, []byte{0, 0, 8, 0}, ip)
			case 1:
				ip = outer4(t, layers.IPProtocolIPv4, ip)
			case 2:
				ip = outer4(t, layers.IPProtocolUDP, datagram(8472, []byte{8, 0, 0, 0, 0, 0, 0, 0}, ethernet(t, typeIPv4, ip)))
			case 3:
				ip = outer4(t, layers.IPProtocolGRE, []byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1}, make([]byte, 8), ethernet(t, typeIPv4, ip))
			}
		}
		d := NewDecoder()
		d.Through(allTunnels)
		var p Packet
		if drop := d.Decode(Raw, ip, len(ip), &p); drop != NotDropped {
			rt.Fatalf("%v", drop)
		}
		compare(t, p, wantTCP("203.0.113.9", "192.0.2.1", "fast open"))
	})
}
