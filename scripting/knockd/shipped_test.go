package knockd

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The example that is shipped is what introductions to port knocking show, word for
// word: only comments stand around it.
func TestTheShippedExample(t *testing.T) {
	text, err := os.ReadFile("../../scripts/knockd/knockd.conf")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{
		"[options]", "UseSyslog",
		"[openSSH]", "sequence = 7000,3000,55000,1500", "seq_timeout = 5", "command = /etc/init.d/ssh start", "tcpflags = syn",
		"[closeSSH]", "sequence = 9000,8000,7000", "seq_timeout = 5", "command = /etc/init.d/ssh stop", "tcpflags = syn",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Parse("knockd.conf", text); err != nil {
		t.Error(err)
	}
}
