//go:build linux

package e2e

import (
	"os"
	"sesame/daemon/control"
	"strings"
	"testing"
)

// own is a firewall of the user's own, as the documentation has it.
const own = `table inet filter {
	set sesame4 { type ipv4_addr . inet_proto . inet_service; flags interval,timeout; }
	set sesame6 { type ipv6_addr . inet_proto . inet_service; flags interval,timeout; }
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif lo accept
		icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
		ip saddr . meta l4proto . th dport @sesame4 accept
		ip6 saddr . meta l4proto . th dport @sesame6 accept
	}
}
`

// TestRealSetMode keeps elements in sets of a firewall that is not ours.
func TestRealSetMode(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(sshDoor, "2s", "3s", 1)})
	w.nft(own)
	config := w.path("sesame.toml")
	text := "[firewall]\nmode = \"set\"\ntable = \"inet filter\"\nset4 = \"sesame4\"\nset6 = \"sesame6\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.start()
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.shut(ssh6)
	w.shuts(ssh4)
	w.knockAt(server6, sshKnocks...)
	w.opens(ssh6)
	w.nothingWrong()
	w.noTable()

	t.Log("# the kernel ends it alone")
	w.kill()
	w.shuts(ssh6)

	t.Log("# the user loads the firewall again")
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	end := w.end()
	w.nft("flush ruleset\n" + own)
	w.opens(ssh4) // the grant is back in its set
	w.shuts(ssh4)
	w.notBefore(end)

	t.Log("# without its sets it says so")
	w.nft("flush ruleset")
	w.eventually("it is reported", func() bool { return w.status().Health.Verdict != control.OK })
	contains(t, w.answer("status"), "wrong: firewall: ", "sesame4")
	w.nft(own)
	w.becomes()
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
}

// TestRealSetModeWithoutSets starts where the sets are not.
func TestRealSetModeWithoutSets(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": sshDoor})
	config := w.path("sesame.toml")
	text := "[firewall]\nmode = \"set\"\ntable = \"inet filter\"\nset4 = \"sesame4\"\nset6 = \"sesame6\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.fails("inet filter")
}
