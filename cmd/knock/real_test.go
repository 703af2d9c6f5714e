//go:build linux

package main

import (
	"bytes"
	"errors"
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

	"sesame/daemon/livetest"
)

const knockd = "/usr/bin/knock"

// knocksAt returns what came to an address.
func knocksAt(packets []seen, to netip.Prefix) (found []string) {
	for _, p := range packets {
		if p.To == to.Addr() {
			found = append(found, p.What)
		}
	}
	return found
}

// guard drops what comes to the ports, without a word.
func guard(t *testing.T, n *livetest.Network, rules string) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft: ", err)
	}
	n.Server.Exec("nft", `table inet guard {
		set open4 { type ipv4_addr; flags dynamic; timeout 60s; }
		set open6 { type ipv6_addr; flags dynamic; timeout 60s; }
		chain guard { type filter hook prerouting priority -150; `+rules+` }
	}`)
}

const (
	silence = "meta l4proto { tcp, udp } drop;"
	// door6 and door4 open on their port to anyone who sends to 7001.
	door4 = "tcp dport 7001 add @open4 { ip saddr }; ip saddr != @open4 tcp dport 22 drop;"
	door6 = "tcp dport 7001 add @open6 { ip6 saddr }; ip6 saddr != @open6 tcp dport 22 drop;"
)

// onClient runs a command on the client, which knows the server by name.
func onClient(t *testing.T, n *livetest.Network, want int, argv ...string) (stdout, stderr string) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	lines := "127.0.0.1 localhost\n198.51.100.1 server.test\n2001:db8:1::1 server.test\n"
	if err := os.WriteFile(hosts, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	in := []string{"-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	cmd := exec.CommandContext(t.Context(), "unshare", append(in, argv...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := n.Client.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() != want || !ok && want != 0 {
		t.Fatalf("%s: %v: expected exit status %d\n%s%s", strings.Join(argv, " "), err, want, &out, &complaints)
	}
	return out.String(), complaints.String()
}

// TestRealKnocks counts every packet of sequences to both families: one for each knock, in order,
// and nothing else. Each sequence lasts longer than a kernel waits before it sends a SYN again. The
// time of each knock is tested in the client's package, with a virtual clock.
func TestRealKnocks(t *testing.T) {
	sequence := []string{"tcp/7000", "udp/8000", "tcp/7000", "udp/8000", "tcp/9000"}
	for _, tt := range []struct{ name, rules string }{
		{"silent ports", silence},
		{"ports that refuse", "udp dport 8000 drop;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := livetest.New(t)
			guard(t, n, tt.rules)
			tap := listenIn(t, n.Server)
			stdout, _ := onClient(t, n, 0, append([]string{"knock", "-v", "-d", "350", "server.test"}, sequence...)...)
			packets := tap.all(t)
			if len(packets) != 2*len(sequence) {
				t.Errorf("%d packets: expected %d\n%v", len(packets), 2*len(sequence), packets)
			}
			sources := map[string]bool{}
			for _, family := range []netip.Prefix{livetest.Server4, livetest.Server6} {
				if diff := cmp.Diff(sequence, knocksAt(packets, family)); diff != "" {
					t.Errorf("knocks at %s (-want +got):\n%s", family, diff)
				}
				for _, p := range packets {
					if p.To == family.Addr() {
						sources[fmt.Sprint(p.Source, p.SourcePort)] = true
					}
				}
				if !strings.Contains(stdout, "knock tcp/9000 on "+family.Addr().String()+"\n") {
					t.Errorf("not told of %s:\n%s", family, stdout)
				}
			}
			if len(sources) != 2*len(sequence) {
				t.Errorf("%d distinct sources: expected %d", len(sources), 2*len(sequence))
			}
		})
	}
}

// TestRealOrder sends many knocks without a delay between them.
func TestRealOrder(t *testing.T) {
	n := livetest.New(t)
	guard(t, n, silence)
	tap := listenIn(t, n.Server)
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("%s/%d", []string{"tcp", "udp"}[i%2], 7000+i/3))
	}
	onClient(t, n, 0, append([]string{"knock", "-d0", "server.test"}, want...)...)
	packets := tap.all(t)
	for _, family := range []netip.Prefix{livetest.Server4, livetest.Server6} {
		if diff := cmp.Diff(want, knocksAt(packets, family)); diff != "" {
			t.Errorf("knocks at %s (-want +got):\n%s", family, diff)
		}
	}
}

// TestRealAccepted knocks at a port that accepts: the client sends one SYN, and closes the
// connection after it was accepted.
func TestRealAccepted(t *testing.T) {
	n := livetest.New(t)
	n.Server.Echo("198.51.100.1:7000")
	tap := listenIn(t, n.Server)
	onClient(t, n, 0, "knock", "198.51.100.1", "7000")
	packets := tap.all(t)
	if len(packets) < 3 { // SYN, ACK, FIN
		t.Fatalf("%d packets", len(packets))
	}
	for i, p := range packets {
		if syn := p.What == "tcp/7000"; syn != (i == 0) {
			t.Errorf("packet %d: %s", i+1, p.What)
		}
	}
}

func TestRealFamilies(t *testing.T) {
	n := livetest.New(t)
	guard(t, n, silence)
	tap := listenIn(t, n.Server)
	expect := func(want4, want6 []string) {
		t.Helper()
		packets := tap.all(t)
		if diff := cmp.Diff([][]string{want4, want6}, [][]string{knocksAt(packets, livetest.Server4), knocksAt(packets, livetest.Server6)}); diff != "" {
			t.Errorf("knocks over IPv4 and IPv6 (-want +got):\n%s", diff)
		}
	}
	one := []string{"udp/8000"}
	onClient(t, n, 0, "knock", "-4", "server.test", "8000:udp")
	expect(one, nil)
	onClient(t, n, 0, "knock", "-6", "server.test", "8000:udp")
	expect(nil, one)
	onClient(t, n, 0, "knock", "-46", "server.test", "8000:udp")
	expect(one, one)
	onClient(t, n, 0, "knock", "2001:db8:1::1", "8000:udp")
	expect(nil, one)

	t.Log("without a route to IPv6, that family is left out")
	n.Client.Exec("ip", "-6", "route", "del", "default")
	if stdout, stderr := onClient(t, n, 0, "knock", "server.test", "8000:udp"); stdout+stderr != "" {
		t.Errorf("not silent: %s%s", stdout, stderr)
	}
	expect(one, nil)
	_, stderr := onClient(t, n, 0, "knock", "-v", "server.test", "8000:udp")
	if want := "knock: left out: no way to 2001:db8:1::1: connect: network is unreachable\n"; stderr != want {
		t.Errorf("wrote %q: expected %q", stderr, want)
	}
	expect(one, nil)
	_, stderr = onClient(t, n, 2, "knock", "-6", "server.test", "8000:udp")
	if want := "knock: no way to 2001:db8:1::1: connect: network is unreachable\n"; stderr != want {
		t.Errorf("wrote %q: expected %q", stderr, want)
	}
	n.Client.Exec("ip", "route", "del", "default")
	onClient(t, n, 2, "knock", "server.test", "8000:udp")
	expect(nil, nil)
}

// TestRealZone knocks at the address that an interface gives itself.
func TestRealZone(t *testing.T) {
	n := livetest.New(t)
	tap := listenIn(t, n.Server)
	var local netip.Addr
	for field := range strings.FieldsSeq(n.Server.Exec("ip", "-6", "-o", "addr", "show", "dev", n.Server.Interface, "scope", "link")) {
		if prefix, err := netip.ParsePrefix(field); err == nil {
			local = prefix.Addr()
		}
	}
	onClient(t, n, 0, "knock", local.String()+"%"+n.Client.Interface, "7000", "udp/8000")
	packets := slices.DeleteFunc(tap.all(t), func(p seen) bool { return p.To != local })
	if len(packets) != 2 {
		t.Errorf("%d packets to %s", len(packets), local)
	}
	_, stderr := onClient(t, n, 2, "knock", local.String(), "7000")
	if !strings.Contains(stderr, "a link-local address needs its interface: expected something like "+local.String()+"%eth0") {
		t.Errorf("wrote %q", stderr)
	}
}

// TestRealThen knocks at doors made of firewall rules.
func TestRealThen(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		listen      bool
		args        string
		status      int
		want        string
	}{
		{"opens", door4, true, "198.51.100.1 7000 7001", 0, "tcp/22 on 198.51.100.1 was closed and is open\n"},
		{"opens over both", door4 + door6, true, "server.test 7001", 0,
			"tcp/22 on 2001:db8:1::1 was closed and is open\ntcp/22 on 198.51.100.1 was closed and is open\n"},
		{"opens over the second alone", door4 + strings.ReplaceAll(door6, "7001", "7002"), true, "server.test 7001", 1,
			"tcp/22 on 2001:db8:1::1 was closed and still is: no answer: these knocks opened nothing, or a firewall drops\ntcp/22 on 198.51.100.1 was closed and is open\n"},
		{"stays shut", door4, true, "198.51.100.1 7000 7002", 1, "tcp/22 on 198.51.100.1 was closed and still is: no answer: these knocks opened nothing, or a firewall drops\n"},
		{"opens to nothing", door4, false, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was closed and now refuses: connection refused (TCP reset): no service listens at tcp/22, or a firewall rejects\n"},
		{"is rejected before and after", "tcp dport 22 reject with tcp reset;", true, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was closed and still is: connection refused (TCP reset): these knocks opened nothing, no service listens at tcp/22, or a firewall rejects\n"},
		{"is prohibited before and after", "tcp dport 22 reject with icmp admin-prohibited;", true, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was closed and still is: rejected by ICMP (administratively prohibited): a firewall\n"},
		{"refuses until the knock opens", strings.Replace(door4, "drop;", "reject with tcp reset;", 1), true, "198.51.100.1 7001", 0,
			"tcp/22 on 198.51.100.1 was closed and is open\n"},
		{"is granted, and a firewall rejects", door4 + "tcp dport 22 reject with icmp port-unreachable;", true, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was closed and still is: rejected by ICMP (port unreachable): a firewall\n"},
		{"is granted over both, and a firewall rejects", door4 + door6 + "tcp dport 22 reject with icmpx port-unreachable;", true, "server.test 7001", 1,
			"tcp/22 on 2001:db8:1::1 was closed and still is: rejected by ICMP (port unreachable): a firewall\n" +
				"tcp/22 on 198.51.100.1 was closed and still is: rejected by ICMP (port unreachable): a firewall\n"},
		{"no way behind a router", "tcp dport 22 reject with icmp net-unreachable;", true, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was closed and still is: unreachable, says ICMP (network unreachable): a router has no way to the host, or the host is down\n"},
		{"a host on the own network that is down", door4, false, "203.0.113.77 7001", 1,
			"tcp/22 on 203.0.113.77 was closed and still is: unreachable, says ICMP (host unreachable): a router has no way to the host, or the host is down\n"},
		{"was open", "tcp dport 7001 drop;", true, "198.51.100.1 7001", 0,
			"tcp/22 on 198.51.100.1 was open already and is open: nothing guards it, or an earlier knock still counts\n"},
		{"closes", "tcp dport 7001 add @open4 { ip saddr }; ip saddr @open4 tcp dport 22 drop;", true, "198.51.100.1 7001", 1,
			"tcp/22 on 198.51.100.1 was open and is closed: no answer: these knocks opened nothing, or a firewall drops\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for answers
			n := livetest.New(t)
			guard(t, n, tt.rules)
			if tt.listen {
				n.Server.Echo("198.51.100.1:22")
				n.Server.Echo("[2001:db8:1::1]:22")
			}
			stdout, stderr := onClient(t, n, tt.status, append([]string{"knock", "--then", "tcp/22"}, strings.Fields(tt.args)...)...)
			if stdout != tt.want || stderr != "" {
				t.Errorf("wrote %q and %q: expected %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestRealInterrupt interrupts a sequence that would last an hour.
func TestRealInterrupt(t *testing.T) {
	n := livetest.New(t)
	tap := listenIn(t, n.Server)
	cmd := exec.Command("knock", "-d", "1h", "198.51.100.1", "7000", "7001")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	n.Client.Start(cmd)
	if _, ok := tap.next(t, 0); !ok {
		t.Fatal("the first knock did not come")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer stuck.Stop()
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || exit.ExitCode() != 2 || complaints.String() != "knock: interrupted\n" {
		t.Errorf("%v, told %q: expected exit status 2", exit, &complaints)
	}
}

// TestRealKnockd gives the same command lines to knockd's client and to this one,
// and compares what arrives.
func TestRealKnockd(t *testing.T) {
	if _, err := os.Stat(knockd); err != nil {
		t.Skip("needs knockd's client: ", err)
	}
	n := livetest.New(t)
	guard(t, n, silence)
	tap := listenIn(t, n.Server)
	for _, line := range []string{
		"198.51.100.1 7000 8000 9000",
		"198.51.100.1 7000:tcp 8000:udp 9000:tcp",
		"-u 198.51.100.1 7000 8000:tcp 9000:udp",
		"198.51.100.1 7000 8000 -u",
		"-d 5 198.51.100.1 7000 8000:udp",
		"198.51.100.1 -d5 7000 8000:udp",
		"--delay=5 --udp 198.51.100.1 7000 7000",
		"--delay 5 -v 198.51.100.1 7000 7000",
		"-4 server.test 7000 8000:udp",
		"-6 server.test 7000 8000:udp",
		"-vu6d 5 server.test 7000",
		"--verb --ud 2001:db8:1::1 7000",
		"-- 198.51.100.1 7000",
	} {
		args := strings.Fields(line)
		onClient(t, n, 0, append([]string{knockd}, args...)...)
		want := whatAndWhere(tap.all(t))
		onClient(t, n, 0, append([]string{"knock"}, args...)...)
		if diff := cmp.Diff(want, whatAndWhere(tap.all(t))); diff != "" || want == nil {
			t.Errorf("knock %s (-knockd +ours):\n%s", line, diff)
		}
	}
}

// whatAndWhere leaves out a SYN that the kernel sent again: it does so when a busy machine stops a
// client for a second between its connect and its close.
func whatAndWhere(packets []seen) (lines []string) {
	for i, p := range packets {
		if strings.HasPrefix(p.What, "tcp/") && slices.Contains(packets[:i], p) {
			continue
		}
		lines = append(lines, p.What+" "+p.To.String())
	}
	return lines
}
