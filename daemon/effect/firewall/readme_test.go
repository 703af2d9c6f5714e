package firewall

import (
	"os"
	"strings"
	"testing"

	"sesame/daemon/packet"
)

// docs/firewall.md shows the same lines as the program prints. The tests with real firewalls
// have tried them.
func TestTheDocumentHasTheLines(t *testing.T) {
	text, err := os.ReadFile("../../../docs/firewall.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"nft insert rule inet filter input '" + nftMark(DefaultMark) + "'",
		"-A ufw-before-input " + xtMark(DefaultMark),
		"iptables -I INPUT " + xtMark(DefaultMark),
		firewalldLines("", []packet.Port{{Proto: packet.TCP, Number: 22}})[0].Line,
		firewalldLines("", []packet.Port{{Proto: packet.TCP, Number: 22}})[1].Line,
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/firewall.md lacks the line %q", line)
		}
	}
}
