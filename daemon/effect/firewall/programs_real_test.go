package firewall

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// opens checks that another firewall stops what we grant over both families, that the lines of the
// result let it through, and that they open nothing else. follow runs one line.
func (w *cabled) opens(g *Guard, port packet.Port, follow func(line string)) {
	t := w.t.(*testing.T)
	t.Helper()
	w.measure(g)
	number := strings.TrimPrefix(port.String(), "tcp/")
	for _, one := range []struct{ client, to string }{
		{clientAddress, serverAddress + ":" + number},
		{client6Address, "[" + server6Address + "]:" + number},
	} {
		apply(t, g, element(one.client, port, time.Hour))
		if !w.slips("", one.to) { // firewalld opens both families at once
			r := w.result(g, one.client, port, reach.Dropped, reach.Rejected, reach.Unanswered)
			t.Logf("%s by %+v: %s", r.Outcome, r.Blocker, strings.Join(r.Lines, "; "))
			for _, line := range commands(r.Lines) {
				follow(line)
			}
			must(t, g.Recheck())
			if got := reach.Of(g.Reached(), netip.MustParsePrefix(one.client+"/"+fmt.Sprint(netip.MustParseAddr(one.client).BitLen())), port, time.Time{}); got.Outcome != reach.Unused {
				t.Errorf("known in spite of the lines: %+v", got)
			}
		}
		if !w.reaches("", one.to) {
			t.Errorf("a packet to %s is stopped in spite of the lines", one.to)
		}
		w.result(g, one.client, port, reach.Answered)
		apply(t, g, element(one.client, port, 0))
		if w.slips("", one.to) {
			t.Errorf("the lines open %s without a grant", one.to)
		}
	}
}

// private runs a command in a mount namespace where copies of directories replace them.
func (w *cabled) private(dir string, replaced []string, command string) string {
	script := ""
	for _, path := range replaced {
		own := filepath.Join(dir, filepath.Base(path))
		script += "test -e " + own + " || cp -a " + path + " " + own + "\nmount --bind " + own + " " + path + "\n"
	}
	return w.run("", "unshare", "--mount", "--propagation", "private", "sh", "-ec", script+command)
}

func TestRealUFW(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("ufw")
	dir := t.TempDir()
	ufw := func(command string) { w.private(dir, []string{"/etc/ufw", "/etc/default"}, command) } // it writes there
	ufw("ufw --force enable")
	var run []string
	w.opens(g, tcp22, func(line string) {
		run = append(run, line)
		ufw(line)
	})
	want := []string{
		"sed -i '/^# End required lines/a -A ufw-before-input -m mark --mark 0x10000000/0x10000000 -j ACCEPT' /etc/ufw/before.rules", "ufw reload",
		"sed -i '/^# End required lines/a -A ufw6-before-input -m mark --mark 0x10000000/0x10000000 -j ACCEPT' /etc/ufw/before6.rules", "ufw reload",
	}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestRealFirewalld(t *testing.T) {
	w := newCabled(t)
	w.needs("firewalld", "firewall-cmd", "dbus-daemon")
	w.listen(":8443")
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp8443}}, nil))
	w.firewalld(t.TempDir())
	w.run("", "firewall-cmd", "--zone=external", "--change-interface=cable")
	var run []string
	w.opens(g, tcp8443, func(line string) {
		run = append(run, line)
		w.run("", "sh", "-c", line)
	})
	want := []string{"firewall-cmd --zone=external --add-port=8443/tcp", "firewall-cmd --permanent --zone=external --add-port=8443/tcp"}
	if diff := cmp.Diff(want, run); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if found, err := g.Conflicts(); err != nil || len(found) > 0 {
		t.Errorf("conflicts in spite of the lines: %v, %v", found, err)
	}
}

// firewalld starts one with a bus of its own, and waits until it answers.
func (w *cabled) firewalld(dir string) {
	t := w.t
	bus := filepath.Join(dir, "bus")
	conf := filepath.Join(dir, "bus.conf")
	must(t, os.WriteFile(conf, []byte(`<busconfig><type>system</type><listen>unix:path=`+bus+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`), 0o600))
	t.(*testing.T).Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+bus)
	config := filepath.Join(dir, "config")
	must(t, os.Mkdir(config, 0o700))
	for _, argv := range [][]string{
		{"dbus-daemon", "--nofork", "--config-file=" + conf},
		{"firewalld", "--nofork", "--nopid", "--system-config", config, "--log-file", filepath.Join(dir, "log")},
	} {
		c := exec.Command(argv[0], argv[1:]...)
		must(t, c.Start())
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		if argv[0] == "dbus-daemon" {
			eventually(t, "the bus is there", func() bool { _, err := os.Stat(bus); return err == nil })
		}
	}
	eventually(t, "firewalld answers", func() bool { return exec.Command("firewall-cmd", "--state").Run() == nil })
}

func TestRealIptables(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("iptables-nft")
	for _, command := range []string{"iptables-nft", "ip6tables-nft"} {
		for _, rule := range []string{
			"-A INPUT -i lo -j ACCEPT", "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
			"-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT", "-A INPUT -m limit --limit 1/s -j LOG", "-P INPUT DROP",
		} {
			w.run("", "sh", "-c", command+" "+rule)
		}
	}
	w.run("", "ip6tables-nft", "-I", "INPUT", "-p", "icmpv6", "-j", "ACCEPT")
	w.opens(g, tcp22, func(line string) { w.run("", "sh", "-c", line) })
}

// TestRealFw4 has a ruleset as fw4 of OpenWrt writes it. The line for its next start is written
// into a directory of the test's own.
func TestRealFw4(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.run(`table inet fw4 {
	chain input { type filter hook input priority filter; policy drop; iif "lo" accept; ct state vmap { established : accept, related : accept }
		iifname "br-lan" jump input_lan; iifname "cable" jump input_wan; }
	chain input_lan { accept; }
	chain input_wan { icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; jump reject_from_wan; }
	chain reject_from_wan { iifname "cable" counter jump handle_reject; }
	chain handle_reject { meta l4proto tcp reject with tcp reset; reject with icmpx port-unreachable; }
}`, "nft", "-f", "-")
	w.measure(g)
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "share"), 0o755))
	apply(t, g, element(clientAddress, tcp22, time.Hour), element(client6Address, tcp22, time.Hour))
	if w.slips("", server4) {
		t.Fatal("fw4 stops nothing")
	}
	r := w.result(g, clientAddress, tcp22, reach.Rejected)
	if want := (reach.Blocker{Table: "inet fw4", Chain: "handle_reject", Rule: "meta l4proto tcp reject with tcp reset", Handle: r.Blocker.Handle}); *r.Blocker != want {
		t.Errorf("stopped by %+v, want %+v", *r.Blocker, want)
	}
	for _, line := range commands(r.Lines) {
		w.run("", "unshare", "--mount", "--propagation", "private", "sh", "-ec", "mount --bind "+filepath.Join(dir, "share")+" /usr/share\n"+line)
	}
	written, err := os.ReadFile(filepath.Join(dir, "share", "nftables.d", "chain-pre", "input", "sesame.nft"))
	if err != nil || string(written) != nftMark(DefaultMark)+"\n" {
		t.Errorf("%q, %v", written, err)
	}
	if !w.reaches("", server4) || !w.reaches("", server6) {
		t.Error("the lines do not let it through")
	}
}

// TestRealFail2ban: the line for a ban is fail2ban's own. A program with its name stands in for it.
func TestRealFail2ban(t *testing.T) {
	for _, tt := range []struct{ name, ban, unban, table string }{
		{"iptables", "iptables -N f2b-sshd; iptables -A f2b-sshd -j RETURN; iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd; iptables -I f2b-sshd 1 -s 198.51.100.2 -j REJECT --reject-with icmp-port-unreachable",
			"iptables -D f2b-sshd -s $4 -j REJECT --reject-with icmp-port-unreachable", "ip filter"},
		{"nft", "nft add table inet f2b-table; nft add chain inet f2b-table f2b-chain '{ type filter hook input priority -1; }'; nft add set inet f2b-table addr-set-sshd '{ type ipv4_addr; }'; nft add rule inet f2b-table f2b-chain tcp dport 22 ip saddr @addr-set-sshd reject; nft add element inet f2b-table addr-set-sshd '{ 198.51.100.2 }'",
			"nft delete element inet f2b-table addr-set-sshd \"{ $4 }\"", "inet f2b-table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, g := newGuard(t, GuardConfig{})
			w.needs("iptables")
			w.measure(g)
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "fail2ban-client"), []byte("#!/bin/sh\ntest \"$1 $2 $3\" = 'set sshd unbanip' && "+tt.unban+"\n"), 0o700))
			w.run("", "sh", "-ec", tt.ban)
			apply(t, g, element(clientAddress, tcp22, time.Hour))
			if w.slips("", server4) {
				t.Fatal("the ban stops nothing")
			}
			r := w.result(g, clientAddress, tcp22, reach.Rejected)
			if r.Blocker.Table != tt.table || !slices.Equal(commands(r.Lines), []string{"fail2ban-client set sshd unbanip 198.51.100.2"}) {
				t.Errorf("%+v: %q", r.Blocker, r.Lines)
			}
			w.run("", "sh", "-c", "PATH="+dir+":$PATH; "+commands(r.Lines)[0])
			if !w.reaches("", server4) {
				t.Error("the line does not let it through")
			}
		})
	}
}

// TestRealLegacyIptables: nothing is known of rules of iptables-legacy. Packets that they drop are
// unanswered. There is no alarm when they accept.
func TestRealLegacyIptables(t *testing.T) {
	t.Run("traced", func(t *testing.T) { throughLegacy(t, "NONE") })
	t.Run("not traced, since it would be logged", func(t *testing.T) { throughLegacy(t, "nf_log_ipv4") })
}

// TestRealLegacyIsQuietAtOnce: the first granted packet is not traced either, since the set comes
// with the rules.
func TestRealLegacyIsQuietAtOnce(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("iptables-legacy")
	w.run("", "sh", "-ec", "iptables-legacy -A INPUT -p tcp --dport 23 -j DROP; echo nf_log_ipv4 >/proc/sys/net/netfilter/nf_log/2")
	repairs := g.Repairs()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	members, err := g.socket.stableMembers(guardTable, "quiet")
	must(t, err)
	if len(members) != 1 || members[0].key[0] != unix.NFPROTO_IPV4 {
		t.Errorf("quiet: %v", members)
	}
	if g.Repairs() != repairs {
		t.Error("a table of another program counts as a repair")
	}
}

// throughLegacy has a logger bound to IPv4, or NONE.
func throughLegacy(t *testing.T, logger string) {
	traced := logger == "NONE"
	begin := func(t *testing.T, w *cabled, g *Guard) (traces func() bool) {
		w.run("", "sh", "-c", "echo "+logger+" >/proc/sys/net/netfilter/nf_log/2")
		w.measure(g)
		eventually(t, "the rules know whether to trace", func() bool {
			members, err := g.socket.stableMembers(guardTable, "quiet")
			must(t, err)
			return len(members) > 0 != traced
		})
		return w.traces()
	}
	for _, tt := range []struct{ name, setup string }{
		{"by policy", "iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables-legacy -P INPUT DROP"},
		{"by rule", "iptables-legacy -A INPUT -i cable -p tcp --dport 22 -j DROP"},
		{"by reject", "iptables-legacy -A INPUT -p tcp -j REJECT --reject-with tcp-reset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, g := newGuard(t, GuardConfig{})
			w.needs("iptables-legacy")
			w.run("", "sh", "-ec", tt.setup)
			traces := begin(t, w, g)
			apply(t, g, element(clientAddress, tcp22, time.Hour))
			if w.slips("", server4) {
				t.Fatal("iptables-legacy stops nothing")
			}
			r := w.result(g, clientAddress, tcp22, reach.Unanswered, reach.Answered, reach.Dropped)
			if r.Outcome != reach.Unanswered || r.Blocker != nil ||
				!slices.Equal(commands(r.Lines), []string{"iptables-legacy -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"}) {
				t.Errorf("%+v", r)
			}
			if got := traces(); got != traced {
				t.Errorf("traced: %v", got)
			}
			w.follow(r.Lines)
			if !w.reaches("", server4) {
				t.Error("the line does not let it through")
			}
			if r := w.result(g, clientAddress, tcp22, reach.Answered); r.Lines != nil {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("policy accept", func(t *testing.T) {
		w, g := newGuard(t, GuardConfig{})
		w.needs("iptables-legacy")
		w.run("", "iptables-legacy", "-A", "INPUT", "-p", "tcp", "--dport", "23", "-j", "DROP")
		begin(t, w, g)
		apply(t, g, element(clientAddress, tcp22, time.Hour))
		if !w.reaches("", server4) {
			t.Fatal("iptables-legacy stops it")
		}
		w.result(g, clientAddress, tcp22, reach.Answered)
		if found, err := g.Conflicts(); err != nil || len(found) > 0 {
			t.Errorf("conflicts: %v, %v", found, err)
		}
	})
}
