//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// nft gives the server's kernel a script.
func (w *world) nft(script string) {
	w.Helper()
	file := w.path("nft")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		w.Fatal(err)
	}
	w.net.Server.Exec("nft", "-f", file)
}

// TestRealForeignFlush lets somebody else remove what the daemon stands on, in
// every way that is a line of nft.
func TestRealForeignFlush(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(sshDoor, "2s", "20s", 1), "web.lua": webDoor})
	w.net.Server.Echo(web4)
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	end := w.end()
	for _, line := range []string{
		"flush ruleset",
		"delete table inet sesame",
		"flush chain inet sesame guard",
		"flush set inet sesame guarded",
		"add element inet sesame grants4 { 203.0.113.9 . tcp . 443 }",
		"add element inet sesame networks4 { 203.0.113.0/24 . tcp . 443 }",
		"add element inet sesame trusted4 { 203.0.113.0/24 }",
		"table inet sesame { flags dormant; }",
		"insert rule inet sesame guard accept",
		"flush ruleset; add table inet sesame",
	} {
		w.nft(line)
		w.shuts(web4)
		w.opens(ssh4)
	}
	w.nft("delete element inet sesame grants4 { 203.0.113.9 . tcp . 22 }")
	w.opens(ssh4)

	w.shuts(ssh4) // the grant ends when it should, after all repairs
	w.notBefore(end)
	if n := w.status().Firewall.Repairs; n < 2 {
		t.Errorf("%d repairs", n)
	}
	if e := w.sesame("status", "--strict"); e.status != 0 {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, "note:  somebody else changed the table of sesame; it was repaired")
	}
	contains(t, w.log(), "the firewall was changed by somebody else, and is repaired")
}

// TestRealFlushAmidKnocks flushes while people are let in: those get in who
// knocked, and nobody else, at most a moment later.
func TestRealFlushAmidKnocks(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	for i := range 6 {
		if i%2 == 0 {
			w.nft("flush ruleset")
		}
		w.send(w.net.Client.IPv4.Addr(), sshKnocks...)
		if i%2 == 1 {
			w.nft("flush ruleset")
		}
		w.opens(ssh4)
		w.eventually("there is a grant", func() bool { return len(w.grants()) == 1 })
		w.shuts(ssh6)
		w.answer("revoke", "203.0.113.9")
		w.shuts(ssh4)
	}
	if s := w.status(); len(s.Effects.Failures) > 0 || s.Firewall.State != "ok" {
		t.Errorf("%+v %+v", s.Effects, s.Firewall)
	}
}

// TestRealDefaultDrop has a table of the user's own that drops by default.
func TestRealDefaultDrop(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.nft(`table inet mine {
		chain input {
			type filter hook input priority filter; policy drop;
			iif lo accept
			ct state established,related accept
			tcp dport 8080 accept
		}
	}`)
	w.start()
	w.logged("another chain drops")
	w.knock(sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	w.shut(ssh4)

	s := w.status()
	if len(s.Firewall.Conflicts) != 1 || s.Firewall.Conflicts[0].Table != "inet mine" || s.Firewall.Conflicts[0].Chain != "input" {
		t.Fatalf("conflicting chains %+v", s.Firewall.Conflicts)
	}
	e := w.sesame("status", "--strict")
	if e.status != 1 {
		t.Errorf("exit status %d", e.status)
	}
	for _, line := range s.Firewall.Conflicts[0].Lines {
		contains(t, e.stdout, line)
		contains(t, w.log(), strings.ReplaceAll(line, `"`, `\"`))
		w.net.Server.Exec("sh", "-c", line)
	}
	w.opens(ssh4)
	w.eventually("the conflicting chain is gone", func() bool { return len(w.status().Firewall.Conflicts) == 0 })
	w.nothingWrong()

	t.Log("# one that comes while it runs")
	w.nft(`table ip late {
		chain in {
			type filter hook input priority 10; policy drop;
			tcp dport 443 accept
		}
	}`)
	w.eventually("the conflicting chain is reported", func() bool {
		o := w.status().Firewall.Conflicts
		return len(o) == 1 && o[0].Table == "ip late"
	})
	w.shuts(ssh4)
	for _, line := range w.status().Firewall.Conflicts[0].Lines {
		w.net.Server.Exec("sh", "-c", line)
	}
	w.opens(ssh4)
}

// TestRealTranslatedPort guards a port whose packets go to a container: its
// destination is another one when an input hook would see it.
func TestRealTranslatedPort(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.nft(`table ip nat {
		chain prerouting { type nat hook prerouting priority dstnat; tcp dport 22 dnat to 198.51.100.1:2222; tcp dport 2023 dnat to 198.51.100.1:2222; }
	}`)
	w.net.Server.Echo(server4 + ":2222")
	w.opens(ssh4)
	w.start()
	w.shut(ssh4)
	w.opens(server4 + ":2023")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
}

// TestRealForwardedPort guards a port that is another host's behind this one, as a
// container's is.
func TestRealForwardedPort(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	// The client's own port 2222, over the server and back, is a host behind it.
	w.net.Server.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1")
	w.nft(`table ip nat {
		chain prerouting { type nat hook prerouting priority dstnat; tcp dport 22 dnat to 203.0.113.10:2222; }
		chain postrouting { type nat hook postrouting priority srcnat; tcp dport 2222 snat to 198.51.100.1; }
	}`)
	w.net.Client.Exec("ip", "addr", "add", "203.0.113.10/24", "dev", w.net.Client.Interface)
	w.net.Client.Echo("203.0.113.10:2222")
	w.opens(ssh4)
	w.start()
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
}

// TestRealStandingSession has a session that is older than the guard, in a network
// whose kernel follows no connections.
func TestRealStandingSession(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	var sessions []net.Conn
	for _, address := range []string{ssh4, ssh6} {
		conn, err := w.net.Client.Dial("tcp", address, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		echoes(t, conn)
		sessions = append(sessions, conn)
	}
	w.start()
	w.shut(ssh4)
	w.shut(ssh6)
	for _, conn := range sessions {
		echoes(t, conn)
	}
	w.kill()
	w.start()
	for _, conn := range sessions {
		echoes(t, conn)
	}
	if text := w.net.Server.Exec("sh", "-c", "cat /proc/sys/net/netfilter/nf_conntrack_count || echo none"); strings.TrimSpace(text) != "0" && strings.TrimSpace(text) != "none" {
		t.Logf("the kernel follows %s connections", strings.TrimSpace(text))
	}
}

// TestRealTrusted has those whom no guard stops.
func TestRealTrusted(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "trusted = [%q]\n", w.net.Client.IPv6.Masked()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.start()
	w.shut(ssh4)
	w.opens(ssh6)
}
