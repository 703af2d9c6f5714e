//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestRealSetMissingInCheck checks a configuration whose sets are not there, or do not fit: check
// says the same as run, with the same exit status, and the line that it prints makes them.
func TestRealSetMissingInCheck(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": sshDoor})
	config := w.path("sesame.toml")
	configure := func(text string) {
		if err := os.WriteFile(config, []byte("scripts = \"scripts\"\n[firewall]\nmode = \"set\"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(more ...string) ended {
		return w.runOn(w.net.Server, append([]string{"sesame", "check", "-c", config}, more...)...)
	}
	configure("table = \"inet fw4\"\nset4 = \"sesame4\"\nset6 = \"sesame6\"\n")

	t.Log("# no table")
	out := check()
	if out.status != 2 {
		t.Errorf("check exits with %d, as run does with 2", out.status)
	}
	const remedy = "nft add table inet fw4 && nft add set inet fw4 sesame4 '{ type ipv4_addr . inet_proto . inet_service; flags interval,timeout; }'"
	contains(t, out.stderr, "no set sesame4 in table inet fw4: make it with: "+remedy, "no set sesame6 in table inet fw4")
	contains(t, check("--format", "json").stdout, `"problems": [`, "no set sesame4 in table inet fw4")

	t.Log("# the line makes the set; the other one does not fit")
	w.net.Server.Exec("sh", "-c", remedy)
	w.nft("add set inet fw4 sesame6 { type ipv6_addr; }")
	out = check()
	if out.status != 2 || strings.Contains(out.stderr, "sesame4") {
		t.Errorf("exit status %d:\n%s", out.status, out.stderr)
	}
	contains(t, out.stderr, "set sesame6 in table inet fw4 has no flag timeout")

	t.Log("# both are there")
	w.nft("delete set inet fw4 sesame6")
	w.nft("add set inet fw4 sesame6 { type ipv6_addr; flags timeout; }")
	if out = check(); out.status != 0 {
		t.Errorf("exit status %d:\n%s", out.status, out.stderr)
	}

	t.Log("# only set4 is named, and the machine has IPv6")
	configure("table = \"inet fw4\"\nset4 = \"sesame4\"\n")
	out = check("--strict")
	if out.status != 1 {
		t.Errorf("exit status %d, want 1", out.status)
	}
	contains(t, out.stdout, "no-set: whoever knocks over IPv6 gets nothing")

	t.Log("# a user who may not look")
	out = w.runOn(w.net.Server, "setpriv", "--bounding-set=-all", "--inh-caps=-all", "sesame", "check", "-c", config)
	if out.status != 0 {
		t.Errorf("exit status %d:\n%s", out.status, out.stderr)
	}
	contains(t, out.stderr, "the sets of the firewall were not looked at")
}
