package firewall

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// docs/firewall.md shows the same lines as the program prints. The tests with real firewalls
// have tried them.
func TestTheDocumentHasTheLines(t *testing.T) {
	text, err := os.ReadFile("../../../docs/firewall.md")
	if err != nil {
		t.Fatal(err)
	}
	input := chainFound{chain: chain{name: "filter_INPUT", hook: unix.NF_INET_LOCAL_IN}}
	firewalld := blocked{base: input, ports: []packet.Port{{Proto: packet.TCP, Number: 22}}}.firewalld()
	fw4 := blocked{mark: DefaultMark, table: table{unix.NFPROTO_INET, "fw4"}, base: chainFound{chain: chain{name: "input", hook: unix.NF_INET_LOCAL_IN}}}.lines()
	xt := table{unix.NFPROTO_IPV4, "filter"}
	docker := blocked{mark: DefaultMark, table: xt, base: chainFound{table: xt, chain: chain{name: "FORWARD", hook: unix.NF_INET_FORWARD}},
		chains: []chainFound{{table: xt, chain: chain{name: "DOCKER-USER"}}}}.lines()
	for _, line := range []string{
		"nft insert rule inet filter input '" + nftMark(DefaultMark) + "'",
		"-A ufw-before-input " + xtMark(DefaultMark),
		"iptables -I INPUT " + xtMark(DefaultMark),
		fw4[0], fw4[1],
		docker[0],
		firewalld[0],
		firewalld[1],
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/firewall.md lacks the line %q", line)
		}
	}
}
