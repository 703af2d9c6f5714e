package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// TestRealPlantedThroughAContainer sends packets that look as if a container had sent them, from
// outside, to a gateway that does not look where they come from. It masquerades them, and so the
// answer would reach the container's service by the port that is published, and guarded. The
// container may have another port than the one that is published. The answer then comes to a port
// that nobody guards.
func TestRealPlantedThroughAContainer(t *testing.T) {
	for _, published := range []uint16{5353, 5300} {
		plantThroughAContainer(t, published)
	}
}

func plantThroughAContainer(t *testing.T, published uint16) {
	a := newAttack(t)
	a.gateway()
	inside := a.behind()
	a.run(strings.ReplaceAll(`table ip nat { chain p { type nat hook prerouting priority dstnat; fib daddr type local udp dport PORT dnat to 203.0.113.2:5353; }
}
table ip6 nat { chain p { type nat hook prerouting priority dstnat; fib daddr type local udp dport PORT dnat to [2001:db8:7::2]:5353; }
}
table inet hidden { chain p { type nat hook postrouting priority srcnat; oifname cable masquerade; }
}`, "PORT", strconv.Itoa(int(published))), "nft", "-f", "-")
	var s *service
	inside.do(func() { s = a.serve(udp5353) })
	a.guarded(GuardConfig{}, packet.Port{Proto: packet.UDP, Number: published})
	own := map[string]netip.Addr{"IPv4": netip.MustParseAddr(containerAddress), "IPv6": netip.MustParseAddr(container6Address)}
	for family, f := range bothFamilies() {
		for _, sport := range []uint16{53, 5353, 41001} {
			planted := crafted{from: own[family], to: f.stranger, sport: 5353, dport: sport, udp: true}
			if len(a.ask(planted.bytes())) == 0 {
				t.Errorf("%s: the gateway does not forward the packet: this is no attack", family)
			}
			for range 3 {
				a.ask(crafted{from: f.stranger, to: f.server, sport: sport, dport: 5353, udp: true}.bytes())
				a.ask(crafted{from: f.stranger, to: f.server, sport: sport, dport: published, udp: true}.bytes())
			}
		}
		if n := s.received(); n > 0 {
			t.Errorf("%s: a stranger plants a flow, and the container receives %d", family, n)
		}
		// What the container asks itself is answered.
		for _, sport := range []uint16{54, 5353} {
			s.sendTo(netip.AddrPortFrom(f.client, sport))
			a.ask()
			a.ask(crafted{from: f.client, to: f.server, sport: sport, dport: 5353, udp: true}.bytes())
			if s.received() != 1 {
				t.Errorf("%s: the answer to a container's question is stopped", family)
			}
		}
	}
}

// TestRealInnerPortsFollowTheContainers: a container that comes or goes is no repair of the guard.
func TestRealInnerPortsFollowTheContainers(t *testing.T) {
	a := newAttack(t)
	published := packet.Port{Proto: packet.UDP, Number: 5300}
	g := a.guarded(GuardConfig{}, published, tcp80)
	was := g.Repairs()
	for _, step := range []struct {
		change string
		want   []packet.Port
	}{
		{"add table ip nat; add chain ip nat p { type nat hook prerouting priority dstnat; }; add rule ip nat p udp dport 5300 dnat to 203.0.113.2:5353", []packet.Port{udp5353}},
		{"add rule ip nat p tcp dport 80 dnat to 203.0.113.2:8080; add rule ip nat p udp dport 5301 dnat to 203.0.113.2:5354", []packet.Port{udp5353}},
		{"flush chain ip nat p", nil},
	} {
		a.run("", "nft", step.change)
		must(t, g.Install(effect.Guards{Drop: []packet.Port{published, tcp80}}, nil))
		if got := portsOf(mustLook(t, g).members["inner"]); !slices.Equal(got, step.want) {
			t.Errorf("after %q the inner ports are %v, want %v", step.change, got, step.want)
		}
	}
	if g.Repairs() != was {
		t.Errorf("%d repairs, want none", g.Repairs()-was)
	}
}
