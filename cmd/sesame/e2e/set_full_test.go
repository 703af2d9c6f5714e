//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestRealFullSetIsReported knocks where the set of the user has no room: status and explain say so
// until there is room again, and the line that they print makes it.
func TestRealFullSetIsReported(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": sshDoor})
	w.nft(strings.Replace(own, "flags interval,timeout;", "size 1; flags interval,timeout;", 1))
	w.nft("add element inet filter sesame4 { 192.0.2.7 . tcp . 22 }")
	config := w.path("sesame.toml")
	text := "[firewall]\nmode = \"set\"\ntable = \"inet filter\"\nset4 = \"sesame4\"\nset6 = \"sesame6\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.start()
	w.nothingWrong()
	w.knock(sshKnocks...)
	w.eventually("it is reported", func() bool { return w.hasReason("set-full") })
	if e := w.sesame("status", "--strict"); e.status != answerNo {
		t.Errorf("exit status %d of sesame status --strict", e.status)
	}
	w.shut(ssh4)
	const raise = "nft add set inet filter sesame4 '{ type ipv4_addr . inet_proto . inet_service; flags interval,timeout; size 1024; }'"
	contains(t, w.answer("status"), "health: degraded: set-full", "set sesame4 of table inet filter is full (1 element, size 1)", raise)
	contains(t, w.answer("status", "--json"), `"full_sets"`)
	told := w.answer("explain")
	contains(t, told, "opened (packet ", "), and failed: tcp/22: set sesame4 of table inet filter is full (1 element, size 1): raise its size")
	for _, wrong := range []string{"open files", "none/22", "/0:"} {
		if strings.Contains(told, wrong) {
			t.Errorf("explain says %q:\n%s", wrong, told)
		}
	}

	t.Log("# the line makes room")
	w.net.Server.Exec("sh", "-c", raise)
	w.eventually("the set is full no more", func() bool { return !w.hasReason("set-full") })
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.becomes()
	contains(t, w.answer("status", "--strict"), "health: ok\n", "note:  access for 203.0.113.9 (door ssh) failed at ", "; access was given since")
}
