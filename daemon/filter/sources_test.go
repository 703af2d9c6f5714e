package filter

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// Sources agree with the decoder on the source of each frame, also of those that it drops.
func TestSourcesAgreeWithTheDecoder(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2000::9")}
	chosen, of := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		addresses := rapid.SliceOfN(rapid.SampledFrom(both), 0, 2).Draw(t, "addresses")
		s, d := NewSources(addresses), packet.NewDecoder()
		for range 50 {
			f := frames(Interest{TCP: []uint16{7421}}).Draw(t, "frame")
			var p packet.Packet
			d.Decode(f.link, f.data, f.wire, &p)
			want := false
			for _, a := range addresses {
				want = want || a == p.Source
			}
			if got := s.Match(f.link, f.data); got != want {
				t.Fatalf("%v among %v: %v, want %v: %x", p.Source, addresses, got, want, f.data)
			}
			if of++; want {
				chosen++
			}
		}
	})
	if t.Logf("%d of %d chosen", chosen, of); chosen < of/8 {
		t.Errorf("%d of %d chosen", chosen, of)
	}
}

func TestSources(t *testing.T) {
	from4, from6 := build(frame{version: 4, protocol: protocolUDP}), build(frame{version: 6, protocol: protocolTCP})
	mapped := build(frame{version: 6, protocol: protocolUDP})
	copy(mapped[8:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 9})
	fragment := build(frame{version: 4, protocol: protocolUDP, fragment: 9})
	for _, test := range []struct {
		name    string
		address string
		ip      []byte
		want    bool
	}{
		{"its own", "203.0.113.9", from4, true},
		{"the same end", "203.1.113.9", from4, false},
		{"another end", "203.0.113.8", from4, false},
		{"the destination", "192.0.2.1", from4, false},
		{"written as IPv6", "::ffff:203.0.113.9", from4, true},
		{"sent as IPv6", "203.0.113.9", mapped, true},
		{"the same four bytes in IPv6", "0.0.0.0", from6, false},
		{"a fragment", "203.0.113.9", fragment, true},
		{"cut behind the addresses", "203.0.113.9", from4[:20], true},
		{"cut", "203.0.113.9", from4[:19], false},
		{"IPv6, cut", from6Source, from6[:39], false},
		{"IPv6", from6Source, from6, true},
		{"empty", "203.0.113.9", nil, false},
	} {
		if got := NewSources([]netip.Addr{netip.MustParseAddr(test.address), {}}).Match(packet.Raw, test.ip); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if NewSources(nil).Match(packet.Raw, from4) {
		t.Error("no address: passed")
	}
}

// from6Source is the source in the IPv6 packets that build makes.
const from6Source = "2000::9"

func TestSourcesAllocateNothing(t *testing.T) {
	s := NewSources([]netip.Addr{netip.MustParseAddr("203.0.113.9")})
	data := link(packet.Ethernet, build(frame{version: 4, protocol: protocolUDP}), 4, 1)
	if n := testing.AllocsPerRun(100, func() { s.Match(packet.Ethernet, data) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSources(b *testing.B) {
	for name, address := range map[string]string{"chosen": "203.0.113.9", "another": "203.0.113.8"} {
		b.Run(name, func(b *testing.B) {
			s := NewSources([]netip.Addr{netip.MustParseAddr(address)})
			data := link(packet.Ethernet, build(frame{version: 4, protocol: protocolTCP}), 4, 0)
			b.ReportAllocs()
			for b.Loop() {
				s.Match(packet.Ethernet, data)
			}
		})
	}
}

// With tunnels, a filter and sources test what the decoder sees, and not the packet outside.
func TestThroughTunnels(t *testing.T) {
	const all = packet.GRE | packet.VXLAN | packet.IPIP
	inner := build(frame{version: 4, protocol: protocolTCP, flags: packet.SYN, port: 7421})
	vxlan := build(frame{version: 6, protocol: protocolUDP, port: 4789})[:48]
	vxlan = slices.Concat(vxlan, []byte{8, 0, 0, 0, 0, 0, 0, 0}, link(packet.Ethernet, inner, 4, 1))
	binary.BigEndian.PutUint16(vxlan[4:], uint16(len(vxlan)-40))
	ipip := append(build(frame{version: 4, protocol: 4})[:20], inner...)
	binary.BigEndian.PutUint16(ipip[2:], uint16(len(ipip)))
	copy(ipip[12:], []byte{198, 51, 100, 7})
	chosen, outside := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.7")
	for name, ip := range map[string][]byte{"vxlan": vxlan, "ipip": ipip} {
		for port, want := range map[uint16]bool{7421: true, 7422: false} {
			if got := New(Interest{TCP: []uint16{port}}).Through(all).Match(packet.Raw, ip); got != want {
				t.Errorf("%s: a filter for %d says %v", name, port, got)
			}
		}
		if !NewSources([]netip.Addr{chosen}).Through(all).Match(packet.Raw, ip) {
			t.Errorf("%s: the source inside is not chosen", name)
		}
		if NewSources([]netip.Addr{outside}).Through(all).Match(packet.Raw, ip) {
			t.Errorf("%s: the source outside is chosen", name)
		}
		if NewSources([]netip.Addr{chosen}).Match(packet.Raw, ip) {
			t.Errorf("%s: looked into without being asked", name)
		}
	}
	if New(Interest{TCP: []uint16{7421}}).Match(packet.Raw, vxlan) {
		t.Error("vxlan is looked into without being asked")
	}
	if !New(Interest{}).Through(all).Match(packet.Raw, vxlan[:52]) {
		t.Error("a tunnel cut within its header is rejected: nobody names its drop")
	}
}
