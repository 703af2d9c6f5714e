package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go4.org/netipx"
	"pgregory.net/rapid"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// TestComment holds that a comment cannot end the quotation that nft puts around
// it, is short enough for nft to read back, and comes back whole when it was short.
func TestComment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grant, door := rapid.Uint64().Draw(t, "grant"), rapid.String().Draw(t, "door")
		c := comment(grant, door)
		bad := func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsPrint(r) || strings.ContainsRune("\"\\;{}#\n", r)
		}
		if len(c) > maxComment || strings.ContainsFunc(c, bad) {
			t.Fatalf("comment %q", c)
		}
		gotGrant, gotDoor, ours := parseComment(c)
		if !ours || gotGrant != grant || len(c) < maxComment-2 && gotDoor != door || !strings.HasPrefix(door, gotDoor) {
			t.Fatalf("%q gives grant %d, door %q, %v", c, gotGrant, gotDoor, ours)
		}
	})
	for _, foreign := range []string{"", "grant", "grant x", "granted", "mine"} {
		if _, _, ours := parseComment(foreign); ours {
			t.Errorf("%q is taken for ours", foreign)
		}
	}
}

// TestKeys holds that a place is found again in what the kernel has for it.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		length := 4
		if v6 {
			length = 16
		}
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, "address"))
		e := effect.Element{
			Source: netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")),
			Port:   packet.Port{Proto: rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "proto"), Number: rapid.Uint16Min(1).Draw(t, "port")},
		}
		p, err := placeOf(e)
		if err != nil {
			t.Fatal(err)
		}
		s := sourceSet{v6: p.source.Addr().Is6(), layout: sourcePort, interval: true}
		members := s.member(p, 1, 1, "d")
		if len(members) != 1 {
			t.Fatalf("members: %v", members)
		}
		if got, ok := s.place(members[0]); !ok || got != p {
			t.Fatalf("%v comes back as %v, %v", p, got, ok)
		}
		if first, last := p.source.Addr(), netipx.PrefixLastIP(p.source); !p.source.Contains(first) || !p.source.Contains(last) || p.source.Contains(last.Next()) || p.source.Contains(first.Prev()) {
			t.Fatalf("%v is from %v to %v", p.source, first, last)
		}
	})
}

// TestTrustedNetworks holds that trusted networks come back as what they hold,
// whether they touch, lie in each other or reach the last address.
func TestTrustedNetworks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		networks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix {
			// Few bits, so that they meet.
			a := netip.AddrFrom4([4]byte{rapid.SampledFrom([]byte{0, 10, 255}).Draw(t, "a"), 255, 255, rapid.Byte().Draw(t, "d")})
			return netip.PrefixFrom(a, rapid.IntRange(24, 32).Draw(t, "bits"))
		}), 0, 12).Draw(t, "networks")
		got := networksOf(networkMembers(merged(networks), false))
		holds := func(in []netip.Prefix, a netip.Addr) bool {
			return slices.ContainsFunc(in, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		for _, n := range networks {
			n = n.Masked()
			for _, a := range []netip.Addr{n.Addr(), n.Addr().Prev(), netipx.PrefixLastIP(n), netipx.PrefixLastIP(n).Next()} {
				if a.IsValid() && holds(networks, a) != holds(got, a) {
					t.Fatalf("%v: %v is in %v, not so in %v", networks, a, networks, got)
				}
			}
		}
	})
}

func TestPlaceOf(t *testing.T) {
	tcp := packet.Port{Proto: packet.TCP, Number: 22}
	for _, tt := range []struct {
		source string
		port   packet.Port
		want   string // "" for an error
	}{
		{"192.0.2.1/32", tcp, "192.0.2.1/32"},
		{"192.0.2.1/24", tcp, "192.0.2.0/24"},
		{"::ffff:192.0.2.1/128", tcp, "192.0.2.1/32"},
		{"::ffff:192.0.2.1/120", tcp, "192.0.2.0/24"},
		{"2001:db8::1/64", tcp, "2001:db8::/64"},
		{"192.0.2.1/32", packet.Port{Proto: packet.TCP}, ""},
		{"192.0.2.1/32", packet.Port{Proto: packet.ICMP, Number: 8}, ""},
	} {
		source, err := netip.ParsePrefix(tt.source)
		if err != nil { // written by ParseAddr alone
			source = netip.PrefixFrom(netip.MustParseAddr(strings.Split(tt.source, "/")[0]), 128)
			if strings.HasSuffix(tt.source, "/120") {
				source = netip.PrefixFrom(source.Addr(), 120)
			}
		}
		p, err := placeOf(effect.Element{Source: source, Port: tt.port})
		if got := p.source.String(); (err != nil) != (tt.want == "") || err == nil && got != tt.want {
			t.Errorf("%s to %v: %s, %v", tt.source, tt.port, got, err)
		}
	}
	if _, err := placeOf(effect.Element{Port: tcp}); err == nil {
		t.Error("an element without a source has a place")
	}
}

// FuzzMembers reads what anybody may have put into a set.
func FuzzComment(f *testing.F) {
	f.Add([]byte{0, 4, 'a', 'b', 'c', 0})
	f.Add([]byte{0, 255, 'a'})
	f.Add([]byte{7, 1, 0, 0})
	f.Fuzz(func(_ *testing.T, notes []byte) { commentOf(notes) })
}
