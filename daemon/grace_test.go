package daemon

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheGraceIsWhatIsSaid compares how long a stop waits with what people read, and
// with how long the service manager waits.
func TestTheGraceIsWhatIsSaid(t *testing.T) {
	seconds := strings.TrimSuffix(grace.String(), "s")
	for file, text := range map[string]string{
		"../ARCHITECTURE.md": "waits up to " + seconds + " s for all commands", "../docs/from-knockd.md": "Commands have " + seconds + " seconds for it",
		"systemd/sesame.service": "All commands have " + seconds + " seconds for it",
	} {
		content, err := os.ReadFile(file)
		must(t, err)
		if !strings.Contains(strings.Join(strings.Fields(string(content)), " "), text) {
			t.Errorf("%s does not say %q", file, text)
		}
	}
	unit, err := os.ReadFile("systemd/sesame.service")
	must(t, err)
	found := regexp.MustCompile(`(?m)^TimeoutStopSec=(\S+)$`).FindSubmatch(unit)
	if found == nil {
		t.Fatal("the unit has no TimeoutStopSec")
	}
	limit, err := time.ParseDuration(string(found[1]))
	must(t, err)
	if limit < grace+10*time.Second {
		t.Errorf("the service manager kills the daemon after %v, too soon after %v", limit, grace)
	}
}
