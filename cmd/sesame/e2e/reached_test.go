//go:build linux

package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"sesame/daemon/reach"
)

// A foreign is a firewall of the user that stops what a door lets in.
type foreign struct {
	name  string
	rules string // commands
	// place is where the first packet ends, as explain names it.
	place   string
	outcome reach.Outcome
	noted   string // the chain that check names before anybody knocks; "": none
}

// accepting are the first rules of each: those that everybody has.
const accepting = `iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT
iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
`

// forwarding lets the client itself, at another address, be a host behind the server.
const forwarding = `sysctl -qw net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -p tcp --dport 2222 -j MASQUERADE
`

var foreigns = []foreign{
	{"another interface passes", "iptables -A INPUT -i eth1 -j ACCEPT; iptables -P INPUT DROP",
		"chain ip filter INPUT (policy)", reach.Dropped, "ip filter INPUT"},
	{"docker0 passes", "ip link add docker0 type bridge; ip link set docker0 up; iptables -A INPUT -i docker0 -j ACCEPT; iptables -P INPUT DROP",
		"chain ip filter INPUT (policy)", reach.Dropped, "ip filter INPUT"},
	{"tailscale0 passes", "iptables -N ts-input; iptables -A INPUT -j ts-input; iptables -A ts-input -i tailscale0 -j ACCEPT; iptables -P INPUT DROP",
		"chain ip filter INPUT (policy)", reach.Dropped, "ip filter INPUT"},
	{"the interface is dropped", "iptables -A INPUT -i server0 -j DROP",
		"chain ip filter INPUT (rule: -A INPUT -i server0 -j DROP)", reach.Dropped, ""},
	{"the zone rejects", "iptables -A INPUT -i eth1 -j ACCEPT; iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset",
		"chain ip filter INPUT (rule: -A INPUT -p tcp -j REJECT --reject-with tcp-reset)", reach.Rejected, ""},
	{"all but a network is dropped", "iptables -A INPUT ! -s 10.0.0.0/8 -p tcp --dport 22 -j DROP",
		"chain ip filter INPUT (rule: -A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP)", reach.Dropped, ""},
	{"a translated port is not forwarded", forwarding + "iptables -t nat -A PREROUTING -i server0 -p tcp --dport 22 -j DNAT --to 203.0.113.10:2222; iptables -P FORWARD DROP",
		"chain ip filter FORWARD (policy)", reach.Dropped, "ip filter FORWARD"},
	{"a port of a container is not forwarded", forwarding + `iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A DOCKER -p tcp --dport 22 -j DNAT --to 203.0.113.10:2222; iptables -P FORWARD DROP`,
		"chain ip filter FORWARD (policy)", reach.Dropped, "ip filter FORWARD"},
	{"a banned address is rejected", "iptables -N f2b-other; iptables -A INPUT -j f2b-other; iptables -A f2b-other -s 203.0.113.9 -p tcp --dport 22 -j REJECT",
		"chain ip filter f2b-other", reach.Rejected, ""},
}

// TestRealPortsThatOthersShut knocks behind firewalls that stop what the door lets in. After one
// connection, explain, status, grants and the log name the chain. With the lines that they print,
// the port answers, and nothing is wrong any more.
func TestRealPortsThatOthersShut(t *testing.T) {
	for _, f := range foreigns {
		t.Run(f.name, func(t *testing.T) { f.test(newWorld(t, map[string]string{"ssh.lua": longDoor})) })
	}
}

func (f *foreign) test(w *world) {
	w.net.Client.Exec("ip", "addr", "add", "203.0.113.10/24", "dev", w.net.Client.Interface)
	w.net.Client.Echo("203.0.113.10:2222")
	w.net.Server.Exec("sh", "-ec", accepting+f.rules)
	w.start()
	if before := w.status(); f.noted == "" && len(before.Firewall.Conflicts) > 0 || before.Health.Verdict != "ok" {
		w.Errorf("before anybody knocked: %+v, %+v", before.Firewall.Conflicts, before.Health)
	}
	if f.noted != "" {
		contains(w, w.answer("status"), "note:  chain "+f.noted+" drops by default, and has no rule for granted packets")
	}
	w.knock(sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	if r := w.grants()[0].Reached; r == nil || r.Outcome != reach.Unused {
		w.Errorf("before anybody connected: %+v", r)
	}
	contains(w, w.answer("explain", "203.0.113.9"), "opened tcp/22, not used")
	w.shut(ssh4)
	w.eventually("it is known where the packet ended", func() bool { return w.grants()[0].Reached.Outcome == f.outcome })
	if w.Failed() {
		return
	}
	contains(w, w.answer("explain", "203.0.113.9"), "opened tcp/22; the connection at ", " was "+string(f.outcome)+" by "+f.place)
	e := w.sesame("status", "--strict")
	if e.status != 1 {
		w.Errorf("exit status %d", e.status)
	}
	contains(w, e.stdout, "health: degraded: firewall-blocks\n", "wrong: a grant lets 203.0.113.9 in at tcp/22; the connection at ", f.place)
	contains(w, w.answer("grants"), string(f.outcome)+" by ip filter ")
	w.logged("another chain stopped what a grant let in")
	if f.name == "a banned address is rejected" {
		return // the line is for a fail2ban, which is not there
	}
	for _, line := range w.grants()[0].Reached.Lines {
		contains(w, e.stdout, line)
		w.net.Server.Exec("sh", "-ec", line)
	}
	w.nothingWrong()
	contains(w, w.answer("explain", "203.0.113.9"), f.place+", whose rules have changed since: connect again")
	w.opens(ssh4)
	w.eventually("it is known that the port answers", func() bool { return w.grants()[0].Reached.Outcome == reach.Answered })
	w.nothingWrong()
	contains(w, w.answer("explain", "203.0.113.9"), "opened tcp/22, and answered at ")
	w.logged("a granted connection was answered")
}

// TestRealOtherFamily knocks over IPv4, and connects over IPv6.
func TestRealOtherFamily(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.send(w.net.Client.IPv4.Addr(), sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	w.shut(ssh6)
	const text = "203.0.113.9 opened ssh; 2001:db8:9::9 was refused at tcp/22 "
	w.eventually("the status names who was turned away", func() bool {
		s := w.status()
		return len(s.TurnedAway) == 1 && strings.HasPrefix(s.TurnedAway[0].Text, text)
	})
	contains(t, w.answer("status"), "note:  "+text, "probably knocked over IPv4, connected over IPv6")
	contains(t, w.answer("explain", "2001:db8:9::9"), text, "2001:db8:9::9    refused at tcp/22: ")
	w.nothingWrong()

	t.Log("# once somebody used the opening, nobody is said to have missed it")
	w.opens(ssh4)
	w.eventually("nobody was turned away", func() bool { return len(w.status().TurnedAway) == 0 })
}

// TestRealTwoAddresses sends one knock from two addresses, as through a carrier's translation.
func TestRealTwoAddresses(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	first, second := w.net.Client.IPv4.Addr(), netip.MustParseAddr("203.0.113.141")
	w.send(first, sshKnocks[:1]...)
	w.send(second, sshKnocks[1:]...)
	const text = "knocks 2 and 3 of ssh came from 203.0.113.141, and the rest from 203.0.113.9: probably one knock from two addresses"
	w.eventually("the status has the knock", func() bool {
		s := w.status()
		return len(s.SplitKnocks) == 1 && strings.HasPrefix(s.SplitKnocks[0].Text, text)
	})
	contains(t, w.answer("status"), "\nnote:  at ", " "+text)
	for _, source := range []string{"203.0.113.9", "203.0.113.141"} {
		contains(t, w.answer("explain", source), text)
	}
	w.nothingWrong()
}
