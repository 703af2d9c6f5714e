//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/packet"
)

// A daemon is dead, and its guard stands: a person at the console lets somebody in.
func TestRealGrantWithoutADaemon(t *testing.T) {
	configuration := filepath.Join(t.TempDir(), "sesame.toml")
	if err := os.WriteFile(configuration, []byte("state = \"state\"\nsocket = \"none\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sesame := withoutDaemon(t, configuration)

	if _, stderr := sesame(couldNot, "grant", "203.0.113.9", "tcp/22", "10m"); !strings.Contains(stderr, "there is no table of sesame in the firewall: nothing is shut by it") {
		t.Errorf("without a guard: %s", stderr)
	}
	guard := firewall.NewGuard(firewall.GuardConfig{})
	defer guard.Close()
	if err := guard.Install(effect.Guards{Drop: []packet.Port{{Proto: packet.TCP, Number: 22}}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"203.0.113.9", "198.51.100.0/24", "2001:db8::9"} {
		stdout, stderr := sesame(done, "grant", source, "tcp/22", "10m")
		if want := fmt.Sprintf("%s may reach tcp/22 for 10m\n", source); stdout != want || !strings.Contains(stderr, "the access went straight into the firewall") {
			t.Errorf("%s: %q, %q", source, stdout, stderr)
		}
	}
	elements, err := guard.Elements()
	if err != nil || len(elements) != 3 {
		t.Fatalf("%v, %v; want three", elements, err)
	}
	for _, e := range elements {
		if e.Port.Number != 22 || e.Remaining > 10*time.Minute || e.Remaining < 9*time.Minute {
			t.Errorf("%+v", e)
		}
	}
	// Who names a socket means the daemon behind it.
	if e := runHere(t, "grant", "203.0.113.8", "tcp/22", "10m", "--socket", "none"); e.status != couldNot || !strings.Contains(e.stderr, "no daemon answers at none") {
		t.Errorf("a named socket: %d, %s", e.status, e.stderr)
	}
}
