package firewall

import (
	"strings"
	"testing"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

var tcp8443 = packet.Port{Proto: packet.TCP, Number: 8443}

// TestRealConflicts: before the first knock, chains that drop by default are noted when no rule of
// theirs has our mark, and none names the port. Whether they let something in is not asked.
func TestRealConflicts(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	const mark = "meta mark & 0x10000000 == 0x10000000 accept"
	for _, tt := range []struct {
		name, rules, want string // want: table, chain and ports
	}{
		{"nothing", "", ""},
		{"a policy", "chain input { type filter hook input priority 0; policy drop; }", "inet x input [tcp/22 udp/53]"},
		{"a policy that only answers pass", "chain input { type filter hook input priority 0; policy drop; ct state established,related accept; ct state invalid drop; }", "inet x input [tcp/22 udp/53]"},
		{"a last rule", "chain input { type filter hook input priority 0; iif lo accept; counter log reject with icmpx admin-prohibited; }", "inet x input [tcp/22 udp/53]"},
		{"a chain that is called", "chain last { counter drop; }\nchain input { type filter hook input priority 0; jump last; }", ""},
		{"a map of verdicts", "chain new { drop; }\nchain input { type filter hook input priority 0; ct state vmap { established : accept, new : goto new }; }", ""},
		{"one port is open", "chain input { type filter hook input priority 0; policy drop; tcp dport { 22, 80 } accept; }", "inet x input [udp/53]"},
		{"a range of ports is open", "chain input { type filter hook input priority 0; policy drop; tcp dport { 20-30, 80 } accept; udp dport 50-60 accept; }", "inet x input [tcp/22 udp/53]"},
		{"ports of a named set", "set s { type inet_proto . inet_service; elements = { tcp . 22, udp . 53 }; }\nchain input { type filter hook input priority 0; policy drop; meta l4proto . th dport @s accept; }", "inet x input [tcp/22 udp/53]"},
		{"another port is open", "chain input { type filter hook input priority 0; policy drop; tcp dport != 22 accept; udp dport >= 54 accept; }", "inet x input [tcp/22 udp/53]"},
		{"open to somebody", "chain input { type filter hook input priority 0; policy drop; ip saddr 10.0.0.0/8 accept; tcp dport 22 ip saddr 10.0.0.0/8 accept; }", "inet x input [udp/53]"},
		{"shut to somebody", "chain input { type filter hook input priority 0; ip saddr 10.0.0.0/8 drop; tcp dport 23 drop; limit rate over 10/second drop; iif lo accept; }", ""},
		{"open by an interface that is there", "chain input { type filter hook input priority 0; policy drop; iifname \"cable\" accept; }", "inet x input [tcp/22 udp/53]"},
		{"open by another", "chain input { type filter hook input priority 0; policy drop; iifname \"wg0\" accept; iifname \"lo\" accept; }", "inet x input [tcp/22 udp/53]"},
		{"over IPv4 alone", "chain input { type filter hook input priority 0; policy drop; meta nfproto ipv4 accept; }", "inet x input [tcp/22 udp/53]"},
		{"the mark", "chain input { type filter hook input priority 0; policy drop; " + mark + "; }", ""},
		{"the mark in a chain that is called", "chain ours { " + mark + "; }\nchain input { type filter hook input priority 0; policy drop; jump ours; }", ""},
		{"more than the mark", "chain input { type filter hook input priority 0; policy drop; meta mark 1 accept; meta mark & 0x30000000 == 0x10000000 accept; }", ""},
		{"a mark taken away", "chain input { type filter hook input priority 0; policy drop; meta mark set 0; " + mark + "; }", ""},
		{"the mark behind the drop", "chain input { type filter hook input priority 0; tcp dport 22 drop; " + mark + "; }", ""},
		{"a condition that nobody knows here", "chain input { type filter hook input priority 0; policy drop; socket transparent 1 accept; meta priority 1 accept; }", "inet x input [tcp/22 udp/53]"},
		{"prerouting behind ours", "chain pre { type filter hook prerouting priority 0; fib daddr type local drop; }", ""},
		{"forward without a translation", "chain onward { type filter hook forward priority 0; policy drop; }", ""},
		{"forward with one", "chain nat { type nat hook prerouting priority -100; tcp dport 22 dnat ip to 203.0.113.2:80; }\nchain onward { type filter hook forward priority 0; policy drop; ct state established accept; tcp dport 22 accept; }", ""},
		{"forward as a container engine has it", "chain nat { type nat hook prerouting priority -100; fib daddr type local tcp dport 22 dnat ip to 203.0.113.2:80; }\nchain engine { ip daddr 203.0.113.2 oifname \"d0\" tcp dport 80 accept; }\nchain onward { type filter hook forward priority 0; policy drop; jump engine; }", ""},
		{"output", "chain out { type filter hook output priority 0; policy drop; }", ""},
	} {
		must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}, Count: []packet.Port{udp53}}, nil))
		w.run("table inet x {\n"+tt.rules+"\n}\n", "nft", "-f", "-")
		got, err := g.Conflicts()
		must(t, err)
		var found []string
		for _, o := range got {
			var ports []string
			for _, p := range o.Ports {
				ports = append(ports, p.String())
			}
			found = append(found, o.Table+" "+o.Chain+" ["+strings.Join(ports, " ")+"]")
		}
		if s := strings.Join(found, "; "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
		w.run("", "nft", "delete table inet x")
	}
}

// TestRealConflictsOfForwarding: a chain at the hook forward counts where a guarded port leads to
// another host, and not where Docker accepts what it publishes.
func TestRealConflictsOfForwarding(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.run("table inet x { chain onward { type filter hook forward priority 0; policy drop; }\n}", "nft", "-f", "-")
	for _, tt := range []struct {
		nft  string
		want int
	}{
		{"add chain inet x nothing", 0},
		{"table ip nat { chain p { type nat hook prerouting priority dstnat; tcp dport 22 dnat to 203.0.113.2:80; }\n}", 1},
		{"add chain inet x DOCKER-USER", 0},
	} {
		w.run(tt.nft, "nft", "-f", "-")
		found, err := g.Conflicts()
		must(t, err)
		if len(found) != tt.want || tt.want == 1 && (found[0].Table != "inet x" || found[0].Hook != "forward") {
			t.Errorf("after %q: %+v", tt.nft, found)
		}
	}
}
