package firewall

import (
	"fmt"
	"strings"
	"testing"
)

// TestRealTranslations reads the rules of container engines, as they write them, and rules that
// lead to no other host or to no other port.
func TestRealTranslations(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("iptables-nft", "ip6tables-nft")
	docker := []string{
		"iptables-nft -t nat -N DOCKER",
		"iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
		"iptables-nft -t nat -A DOCKER -i docker0 -j RETURN",
		"iptables-nft -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
		"iptables-nft -t nat -A DOCKER ! -i docker0 -d 198.51.100.1/32 -p udp -m udp --dport 5353 -j DNAT --to-destination 172.17.0.2:53",
		"ip6tables-nft -t nat -A PREROUTING -p tcp -m tcp --dport 8081 -j DNAT --to-destination [2001:db8:17::2]:80",
		"iptables-nft -t nat -A PREROUTING -p tcp -m tcp --dport 443 -j DNAT --to-destination 172.17.0.2",
		"iptables-nft -t nat -A PREROUTING -p tcp -m tcp --dport 2200 -j DNAT --to-destination 198.51.100.1:22",
		"iptables-nft -t nat -A PREROUTING -p tcp -m tcp --dport 2201 -j REDIRECT --to-ports 22",
	}
	native := `table inet netavark {
		chain web { ip daddr 198.51.100.1 tcp dport 9090 dnat ip to 10.88.0.2:80; tcp dport { 9091, 9092 } dnat ip6 to [2001:db8:88::2]:443; }
		chain pre { type nat hook prerouting priority -100; fib daddr type local jump web; }
		chain out { type nat hook output priority -100; tcp dport 7777 dnat ip to 10.88.0.2:80; }
	}
	table ip plain { chain pre { type filter hook prerouting priority 0; tcp dport 6666 accept; }
	}`
	for _, tt := range []struct {
		name     string
		commands []string
		nft      string
		want     string
	}{
		{"none", nil, "", ""},
		{"docker, with iptables", docker, "", "tcp/8080->tcp/80 tcp/8081->tcp/80 udp/5353->udp/53"},
		// A chain of the same table at the output hook is not told apart: its packets are our own.
		{"podman, with nft", nil, native, "tcp/7777->tcp/80 tcp/9090->tcp/80 tcp/9091->tcp/443 tcp/9092->tcp/443"},
	} {
		for _, command := range tt.commands {
			w.run("", "sh", "-c", command)
		}
		w.run(tt.nft, "nft", "-f", "-")
		found, err := g.Translations()
		must(t, err)
		var got []string
		for _, one := range found {
			got = append(got, fmt.Sprintf("%s->%s", one.Outer, one.Inner))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q: expected %q\n%s", tt.name, s, tt.want, w.run("", "nft", "list", "ruleset"))
		}
		w.run("flush ruleset", "nft", "-f", "-")
	}
}
