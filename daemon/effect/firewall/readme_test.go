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
	for _, line := range []string{
		"nft insert rule inet filter input '" + nftMark(DefaultMark) + "'",
		"-A ufw-before-input " + xtMark(DefaultMark),
		"iptables -I INPUT " + xtMark(DefaultMark),
		firewalld[0],
		firewalld[1],
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/firewall.md lacks the line %q", line)
		}
	}
}
