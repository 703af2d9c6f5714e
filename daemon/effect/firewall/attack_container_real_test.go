package firewall

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

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
