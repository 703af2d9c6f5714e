package firewall

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/effect"
)

// user rules that touch marks, and leave packets untracked. Each is loaded before the guard, and
// after it: chains of one priority are called in the order of their making.
var markRules = map[string]string{
	"wg-quick": `table inet wg {
		chain preraw { type filter hook prerouting priority -300; iifname != "wg0" ip daddr 10.9.9.1 fib saddr type != local drop; }
		chain premangle { type filter hook prerouting priority -150; meta l4proto udp meta mark set ct mark; }
		chain postmangle { type filter hook postrouting priority -150; meta l4proto udp meta mark 0x0000ca6c ct mark set meta mark; }
	}`,
	"connmark": `table inet many {
		chain restore { type filter hook prerouting priority mangle; meta mark set ct mark; }
		chain save { type filter hook postrouting priority mangle; ct mark set meta mark; }
		chain saved { type filter hook input priority 10; ct mark set meta mark; }
	}`,
}

const dropWithoutMark = "table inet mine { chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; meta mark & 0x10000000 != 0 accept; }\n}"

func TestRealMarksOfOthers(t *testing.T) {
	for name, rules := range markRules {
		for _, first := range []bool{true, false} {
			for _, drops := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, before the guard %t, policy drop %t", name, first, drops), func(t *testing.T) {
					a := newAttack(t)
					if drops {
						a.run(dropWithoutMark, "nft", "-f", "-")
					}
					if first {
						a.run(rules, "nft", "-f", "-")
					}
					s, tcp := a.serve(udp5353), a.serve(tcp22)
					g := a.guarded(GuardConfig{}, udp5353, tcp22)
					if !first {
						a.run(rules, "nft", "-f", "-")
					}
					for family, f := range bothFamilies() {
						ask := func(sport uint16) int {
							a.ask(crafted{from: f.stranger, to: f.server, sport: sport, dport: 5353, udp: true}.bytes())
							return s.received()
						}
						begin := func(sport uint16) bool {
							return a.opens(crafted{from: f.stranger, to: f.server, sport: sport, dport: 22})
						}
						if ask(1001) != 0 || begin(1001) {
							t.Errorf("%s: who has no grant passes", family)
						}
						grants := []effect.Element{element(f.stranger.String(), udp5353, time.Minute), element(f.stranger.String(), tcp22, time.Minute)}
						apply(t, g, grants...)
						// From its second packet on a flow has what its first one saved.
						if ask(1002)+ask(1002)+ask(1002) != 3 || !begin(1002) {
							t.Errorf("%s: who has a grant is stopped", family)
						}
						s.sendTo(netip.AddrPortFrom(f.stranger, 1002))
						for i := range grants {
							grants[i].Remaining = 0
						}
						apply(t, g, grants...)
						if ask(1002) != 1 {
							t.Errorf("%s: a flow ends with its grant", family)
						}
						if ask(1003) != 0 || begin(1003) {
							t.Errorf("%s: who had a grant passes", family)
						}
					}
					if tcp.received() != 0 {
						t.Error("a connection was accepted")
					}
				})
			}
		}
	}
}
