//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/daemon/wire"
)

// Without a daemon: the guard is loaded at the start of a machine, shown, and
// taken away.
func TestRealFirewallWithoutADaemon(t *testing.T) {
	dir := t.TempDir()
	configuration := filepath.Join(dir, "sesame.toml")
	if err := os.WriteFile(configuration, []byte("state = \"state\"\nsocket = \"none\"\ntrusted = [\"192.0.2.0/24\"]\ntrusted_interfaces = [\"wg0\"]\n[firewall]\nanswer = \"drop\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sesame := withoutDaemon(t, configuration)

	if out, _ := sesame(answerNo, "firewall", "show"); !strings.Contains(out, "nothing is shut") {
		t.Errorf("show without a table: %s", out)
	}
	if out, _ := sesame(done, "firewall", "remove"); !strings.Contains(out, "nothing was shut") {
		t.Errorf("remove without a table: %s", out)
	}
	if _, stderr := sesame(done, "firewall", "load"); !strings.Contains(stderr, "no script set was ever saved") {
		t.Errorf("load without a saved set: %s", stderr)
	}
	store, err := state.Open(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	err = store.SaveSet(state.Saved{
		Files:  []wire.File{{Path: "a.lua", Source: []byte("-- nothing")}},
		Guards: []packet.Port{{Proto: packet.TCP, Number: 22}, {Proto: packet.UDP, Number: 51820}}, At: time.Unix(1, 0),
		Answer: "reject",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, _ := sesame(done, "firewall", "load"); out != "shut: tcp/22, udp/51820\n" {
		t.Errorf("load: %s", out)
	}
	sesame(done, "grant", "203.0.113.9", "tcp/22", "10m")
	sesame(done, "firewall", "load") // again: who has access keeps it
	out, _ := sesame(done, "firewall", "show")
	for _, want := range []string{
		"table     inet sesame\n", "guarded   tcp/22, udp/51820; 0 packets dropped\n",
		"answer    drop\n", "trusted   loopback, 192.0.2.0/24, wg0\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("show lacks %q:\n%s", want, out)
		}
	}
	// Of the 10 minutes some seconds may be over.
	if grant := regexp.MustCompile(`203\.0\.113\.9  tcp/22  (10m|9m\d+s) left  a person\n`); !grant.MatchString(out) {
		t.Errorf("show lacks %v:\n%s", grant, out)
	}
	if out, said := sesame(done, "firewall", "remove"); out != "removed; no longer shut by sesame: tcp/22, udp/51820\n" ||
		!strings.Contains(said, "the next start shuts tcp/22, udp/51820 again, also when the scripts do not") {
		t.Errorf("remove: %s", out)
	}
	sesame(answerNo, "firewall", "show")
	if err := os.WriteFile(configuration, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sesame(done, "firewall", "load", "--state", filepath.Join(dir, "state"))
	if out, _ := sesame(done, "firewall", "show"); !strings.Contains(out, "answer    auto\nstand-ins tcp/225, tcp/4, udp/4\n") {
		t.Errorf("show with the default answer:\n%s", out)
	}
	sesame(done, "firewall", "remove")
	if err := os.WriteFile(configuration, []byte("[firewall]\nanswer = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sesame(done, "firewall", "load", "--state", filepath.Join(dir, "state")) // as it was saved
	if out, _ := sesame(done, "firewall", "show"); !strings.Contains(out, "answer    reject\n") {
		t.Errorf("show after a load with a wrong configuration:\n%s", out)
	}
	sesame(done, "firewall", "remove")
	if e := runHere(t, "firewall", "shew"); e.status != couldNot || !strings.Contains(e.stderr, "did you mean show?") {
		t.Errorf("a mistyped command: %d, %s", e.status, e.stderr)
	}
}
