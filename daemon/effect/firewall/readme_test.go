package firewall

import (
	"os"
	"strings"
	"testing"

	"sesame/daemon/packet"
)

// What the README says to add is what the program says, which the tests with real
// firewalls have tried.
func TestTheREADMEHasTheLines(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
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
			t.Errorf("README.md lacks the line %q", line)
		}
	}
}
