package firewall

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestRealFlowsFromBefore begins flows before their port is guarded, by the first guard of the host
// and by a reload that adds the port. They go on; new ones do not begin.
func TestRealFlowsFromBefore(t *testing.T) {
	for _, reload := range []bool{false, true} {
		t.Run(fmt.Sprintf("reload %t", reload), func(t *testing.T) {
			a := newAttack(t)
			if reload {
				a.guarded(GuardConfig{}, tcp22)
			} else {
				a.run("table inet mine { chain input { type filter hook input priority filter; ct state invalid drop; }\n}", "nft", "-f", "-") // connections are tracked
			}
			s := a.serve(udp5353)
			ask := func(f struct{ stranger, server, client netip.Addr }, sport uint16) int {
				a.ask(crafted{from: f.stranger, to: f.server, sport: sport, dport: 5353, udp: true}.bytes())
				return s.received()
			}
			for _, f := range bothFamilies() {
				if ask(f, 1001) != 1 {
					t.Fatal("the port is shut without a guard")
				}
				s.sendTo(netip.AddrPortFrom(f.stranger, 1001))
				if ask(f, 1001) != 1 || ask(f, 1002) != 1 { // the second one had no answer yet
					t.Fatal("the port is shut without a guard")
				}
				s.sendTo(netip.AddrPortFrom(f.stranger, 1004)) // and one that began here
			}
			a.ask()
			a.guarded(GuardConfig{}, tcp22, udp5353)
			for family, f := range bothFamilies() {
				if ask(f, 1001)+ask(f, 1001) != 2 {
					t.Errorf("%s: a flow from before the guard ends", family)
				}
				if ask(f, 1004) != 1 {
					t.Errorf("%s: the answer to a flow from before the guard is stopped", family)
				}
				if ask(f, 1003) != 0 {
					t.Errorf("%s: a flow begins in spite of the guard", family)
				}
			}
		})
	}
}

// TestRealFlowsOfWhoWasTrusted takes the trust in a network away. What was let in by it needs a
// grant from then on: that the kernel knows the flow is no reason to pass.
func TestRealFlowsOfWhoWasTrusted(t *testing.T) {
	a := newAttack(t)
	s := a.serve(udp5353)
	a.guarded(GuardConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:66::/64")}}, udp5353)
	ask := func(stranger, server netip.Addr) int {
		a.ask(crafted{from: stranger, to: server, sport: 1001, dport: 5353, udp: true}.bytes())
		return s.received()
	}
	for family, f := range bothFamilies() {
		if ask(f.stranger, f.server) != 1 {
			t.Errorf("%s: a trusted source is stopped", family)
		}
		s.sendTo(netip.AddrPortFrom(f.stranger, 1001))
	}
	a.ask()
	a.guarded(GuardConfig{}, udp5353)
	for family, f := range bothFamilies() {
		if ask(f.stranger, f.server)+ask(f.stranger, f.server) != 0 {
			t.Errorf("%s: a flow of a source that was trusted goes on", family)
		}
	}
}
