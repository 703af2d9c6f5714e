package firewall

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

var tcp8443 = packet.Port{Proto: packet.TCP, Number: 8443}

// TestRealConflicts finds chains that drop what we granted, whatever way they are
// written, and no others.
func TestRealConflicts(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	const mark = "meta mark & 0x10000000 == 0x10000000 accept"
	for _, tt := range []struct {
		name, rules, want string // want: table, chain and ports
	}{
		{"nothing", "", ""},
		{"a policy", "chain input { type filter hook input priority 0; policy drop; }", "inet x input [tcp/22 udp/53]"},
		{"a policy that only answers pass", "chain input { type filter hook input priority 0; policy drop; ct state established,related accept; ct state invalid drop; }", "inet x input [tcp/22 udp/53]"},
		{"a last rule", "chain input { type filter hook input priority 0; iif lo accept; counter log reject with icmpx admin-prohibited; }", "inet x input [tcp/22 udp/53]"},
		{"a chain that is called", "chain last { counter drop; }\nchain input { type filter hook input priority 0; jump last; }", "inet x input [tcp/22 udp/53]"},
		{"a map of verdicts", "chain new { drop; }\nchain input { type filter hook input priority 0; ct state vmap { established : accept, new : goto new }; }", "inet x input [tcp/22 udp/53]"},
		{"one port is open", "chain input { type filter hook input priority 0; policy drop; tcp dport { 22, 80 } accept; }", "inet x input [udp/53]"},
		{"a range of ports is open", "chain input { type filter hook input priority 0; policy drop; tcp dport { 20-30, 80 } accept; udp dport 50-60 accept; }", ""},
		{"ports of a named set", "set s { type inet_proto . inet_service; elements = { tcp . 22, udp . 53 }; }\nchain input { type filter hook input priority 0; policy drop; meta l4proto . th dport @s accept; }", ""},
		{"another port is open", "chain input { type filter hook input priority 0; policy drop; tcp dport != 22 accept; udp dport >= 54 accept; }", "inet x input [tcp/22 udp/53]"},
		{"open to somebody", "chain input { type filter hook input priority 0; policy drop; ip saddr 10.0.0.0/8 accept; tcp dport 22 ip saddr 10.0.0.0/8 accept; }", "inet x input [tcp/22 udp/53]"},
		{"shut to somebody", "chain input { type filter hook input priority 0; ip saddr 10.0.0.0/8 drop; tcp dport 23 drop; limit rate over 10/second drop; iif lo accept; }", ""},
		{"open by an interface that is there", "chain input { type filter hook input priority 0; policy drop; iifname \"cable\" accept; }", ""},
		{"open by another", "chain input { type filter hook input priority 0; policy drop; iifname \"wg0\" accept; iifname \"lo\" accept; }", "inet x input [tcp/22 udp/53]"},
		{"over IPv4 alone", "chain input { type filter hook input priority 0; policy drop; meta nfproto ipv4 accept; }", "inet x input [tcp/22 udp/53]"},
		{"the mark", "chain input { type filter hook input priority 0; policy drop; " + mark + "; }", ""},
		{"the mark in a chain that is called", "chain ours { " + mark + "; }\nchain input { type filter hook input priority 0; policy drop; jump ours; }", ""},
		{"more than the mark", "chain input { type filter hook input priority 0; policy drop; meta mark 1 accept; meta mark & 0x30000000 == 0x10000000 accept; }", ""},
		{"a mark taken away", "chain input { type filter hook input priority 0; policy drop; meta mark set 0; " + mark + "; }", "inet x input [tcp/22 udp/53]"},
		{"the mark behind the drop", "chain input { type filter hook input priority 0; tcp dport 22 drop; " + mark + "; }", "inet x input [tcp/22]"},
		{"a condition that nobody knows here", "chain input { type filter hook input priority 0; policy drop; socket transparent 1 accept; meta priority 1 accept; }", "inet x input [tcp/22 udp/53]"},
		{"prerouting behind ours", "chain pre { type filter hook prerouting priority 0; fib daddr type local drop; }", "inet x pre [tcp/22 udp/53]"},
		{"forward without a translation", "chain onward { type filter hook forward priority 0; policy drop; }", ""},
		{"forward with one", "chain nat { type nat hook prerouting priority -100; tcp dport 22 dnat ip to 203.0.113.2:80; }\nchain onward { type filter hook forward priority 0; policy drop; ct state established accept; tcp dport 22 accept; }", "inet x onward [tcp/22]"},
		{"forward as a container engine has it", "chain nat { type nat hook prerouting priority -100; fib daddr type local tcp dport 22 dnat ip to 203.0.113.2:80; }\nchain engine { ip daddr 203.0.113.2 oifname \"d0\" tcp dport 80 accept; }\nchain onward { type filter hook forward priority 0; policy drop; jump engine; }", ""},
		{"output", "chain out { type filter hook output priority 0; policy drop; }", ""},
	} {
		must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}, Count: []packet.Port{udp53}}, nil))
		w.run("table inet x {\n"+tt.rules+"\n}\n", "nft", "-f", "-")
		got, err := g.Conflicts()
		must(t, err)
		var found []string
		for _, o := range got {
			var ports []string
			for _, p := range o.Ports {
				ports = append(ports, p.String())
			}
			found = append(found, o.Table+" "+o.Chain+" ["+strings.Join(ports, " ")+"]")
		}
		if s := strings.Join(found, "; "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
		w.run("", "nft", "delete table inet x")
	}
}

// opens checks that a chain stands in the way of granted packets, that its lines
// make way, and that they open nothing else.
func (w *cabled) opens(g *Guard, port packet.Port, manager string, follow func(Conflict)) {
	t := w.t
	t.Helper()
	address := serverAddress + ":" + port.String()[len("tcp/"):]
	address6 := "[" + server6Address + "]" + address[len(serverAddress):]
	must(t, errors.Join(g.Apply([]effect.Element{element(clientAddress, port, time.Minute), element(client6Address, port, time.Minute)})...))
	if w.slips("", address) {
		t.Fatal("the other firewall stops nothing")
	}
	found, err := g.Conflicts()
	must(t, err)
	if len(found) == 0 {
		t.Fatal("no conflict is found")
	}
	for _, o := range found {
		t.Logf("%s, chain %s, of %s: %s", o.Table, o.Chain, o.Manager, strings.Join(o.Lines(), "; "))
		if o.Manager != manager {
			t.Errorf("chain %s of table %s is said to be of %q", o.Chain, o.Table, o.Manager)
		}
		follow(o)
	}
	if !w.reaches("", address) || !w.reaches("", address6) {
		t.Error("a granted packet is stopped in spite of the lines")
	}
	if again, err := g.Conflicts(); err != nil || len(again) > 0 {
		t.Errorf("conflicts in spite of the lines: %v, %v", again, err)
	}
	must(t, errors.Join(g.Apply([]effect.Element{element(clientAddress, port, 0), element(client6Address, port, 0)})...))
	if w.slips("", address) || w.slips("", address6) {
		t.Error("the lines open the port without a grant")
	}
}

func TestRealUFW(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("ufw")
	// ufw writes into /etc: it sees a copy, in a mount namespace of its own.
	dir := t.TempDir()
	ufw := func(command string) string {
		return w.run("", "unshare", "--mount", "--propagation", "private", "sh", "-ec",
			"test -e "+dir+"/ufw || { cp -a /etc/ufw "+dir+"/ufw; cp -a /etc/default "+dir+"/default; }\n"+
				"mount --bind "+dir+"/ufw /etc/ufw; mount --bind "+dir+"/default /etc/default\n"+command)
	}
	ufw("ufw --force enable")
	reloads := 0
	w.opens(g, tcp22, "ufw", func(o Conflict) {
		for _, r := range o.Remedies {
			if r.File == "" {
				if reloads++; reloads == 2 { // it takes both files
					ufw(r.Line)
				}
				continue
			}
			file := filepath.Join(dir, "ufw", filepath.Base(r.File))
			text, err := os.ReadFile(file)
			must(t, err)
			before, after, found := strings.Cut(string(text), r.After+"\n")
			if !found {
				t.Fatalf("%s has no line %q", r.File, r.After)
			}
			must(t, os.WriteFile(file, []byte(before+r.After+"\n"+r.Line+"\n"+after), 0o640))
		}
	})
	if reloads != 2 {
		t.Errorf("%d of 2 families found in the way", reloads)
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
	w.opens(g, tcp8443, "firewalld", func(o Conflict) {
		want := []Remedy{{Line: "firewall-cmd --zone=public --add-port=8443/tcp"}, {Line: "firewall-cmd --permanent --zone=public --add-port=8443/tcp"}}
		if !slices.Equal(o.Remedies, want) {
			t.Errorf("remedies (-want +got):\n%s", cmp.Diff(want, o.Remedies))
		}
		for _, r := range o.Remedies {
			w.run("", "sh", "-c", r.Line)
		}
	})
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
	w.opens(g, tcp22, "iptables", func(o Conflict) {
		w.run("", "sh", "-c", strings.Replace(o.Remedies[0].Line, "tables ", "tables-nft ", 1))
	})
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp80}}, nil))
	if found, err := g.Conflicts(); err != nil || len(found) > 0 {
		t.Errorf("conflicts for a port that iptables opens: %v, %v", found, err)
	}
}

func TestRealLegacyIptables(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.needs("iptables-legacy")
	w.run("", "sh", "-c", "iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables-legacy -P INPUT DROP")
	apply(t, g, element(clientAddress, tcp22, time.Minute))
	if w.slips("", server4) {
		t.Fatal("iptables-legacy stops nothing")
	}
	found, err := g.Conflicts()
	must(t, err)
	if len(found) != 1 || found[0].Manager != "iptables-legacy" {
		t.Fatalf("conflicts: %+v", found)
	}
	w.run("", "sh", "-c", found[0].Remedies[0].Line)
	if !w.reaches("", server4) {
		t.Error("a granted packet is stopped in spite of the line")
	}
}
