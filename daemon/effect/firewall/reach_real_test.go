package firewall

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

var tcp8080 = packet.Port{Proto: packet.TCP, Number: 8080}

// measure measures what becomes of grants until the test ends.
func (w *cabled) measure(g *Guard) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.beside(func() {
		if err := g.Measure(ctx, time.Now, func(reach.Result) {}); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(cancel)
	w.listens()
}

// listens waits until somebody listens to traces.
func (w *cabled) listens() {
	w.t.Helper()
	eventually(w.t, "somebody listens to traces", func() bool {
		return strings.Contains(w.run("", "cat", "/proc/thread-self/net/netlink"), " 00000100 ")
	})
}

// result waits for what became of a source at a port, until it is one of these outcomes. A busy
// machine may have sent nothing in the time of one try, so it tries again.
func (w *cabled) result(g *Guard, source string, port packet.Port, wanted ...reach.Outcome) reach.Result {
	w.t.Helper()
	var r reach.Result
	network := netip.MustParsePrefix(source + map[bool]string{false: "/32", true: "/128"}[strings.Contains(source, ":")])
	limit, next := time.Now().Add(generous), time.Now().Add(3*time.Second)
	eventually(w.t, fmt.Sprintf("%s at %s is one of %v", source, port, wanted), func() bool {
		if r = reach.Of(g.Reached(), network, port, time.Time{}); time.Now().After(limit) {
			w.t.Fatalf("%+v", r)
		}
		for _, o := range wanted {
			if r.Outcome == o {
				return true
			}
		}
		if r.Outcome == reach.Unused && time.Now().After(next) { // not so often that the limit of traces is reached
			w.tryAgain(source, port)
			next = time.Now().Add(3 * time.Second)
		}
		runtime.Gosched()
		return false
	})
	return r
}

func (w *cabled) tryAgain(source string, port packet.Port) {
	w.t.Helper()
	host := serverAddress
	if strings.Contains(source, ":") {
		host = server6Address
	}
	to := net.JoinHostPort(host, fmt.Sprint(port.Number))
	if port.Proto == packet.UDP {
		w.datagram(to)
	} else {
		w.slips("", to)
	}
}

// commands are the lines to run.
func commands(lines []string) (run []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, "#") {
			run = append(run, line)
		}
	}
	return run
}

// follow runs lines as they are.
func (w *cabled) follow(lines []string) {
	w.t.Helper()
	for _, line := range commands(lines) {
		w.run("", "sh", "-c", line)
	}
}

const established = `iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -A INPUT -i lo -j ACCEPT
`

// Firewalls that stop what a grant lets in, although another interface or source passes.
var firewalls = []struct {
	name    string
	port    packet.Port
	setup   string
	nft     string
	outcome reach.Outcome
	blocker reach.Blocker // without its handle
	line    string
}{
	{name: "router", port: tcp22, setup: established + "iptables -A INPUT -i eth1 -j ACCEPT; iptables -P INPUT DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "docker", port: tcp22, setup: established + "ip link add docker0 type bridge; ip link set docker0 up; iptables -A INPUT -i docker0 -j ACCEPT; iptables -P INPUT DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "tailscale", port: tcp22, setup: established + "iptables -N ts-input; iptables -A INPUT -j ts-input; iptables -A ts-input -i tailscale0 -j ACCEPT; iptables -P INPUT DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "wan-drop", port: tcp22, setup: established + "iptables -A INPUT -i cable -j DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Rule: "-A INPUT -i cable -j DROP"},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "wan-reject", port: tcp22, setup: established + "iptables -A INPUT -i eth1 -j ACCEPT; iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset",
		outcome: reach.Rejected, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Rule: "-A INPUT -p tcp -j REJECT --reject-with tcp-reset"},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "not-source", port: tcp22, setup: established + "iptables -A INPUT ! -s 10.0.0.0/8 -p tcp --dport 22 -j DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "INPUT", Rule: "-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP"},
		line: "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "dnat-by-interface", port: tcp8080, setup: "iptables -t nat -A PREROUTING -i cable -p tcp --dport 8080 -j DNAT --to 203.0.113.2:80; iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -P FORWARD DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "FORWARD", Policy: true},
		line: "iptables -I FORWARD -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "docker-dnat", port: tcp8080, setup: "iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER; iptables -t nat -A DOCKER -p tcp --dport 8080 -j DNAT --to 203.0.113.2:80; iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -N DOCKER-USER; iptables -I FORWARD -j DOCKER-USER; iptables -P FORWARD DROP",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "ip filter", Chain: "FORWARD", Policy: true},
		line: "iptables -I DOCKER-USER -m mark --mark 0x10000000/0x10000000 -j ACCEPT"},
	{name: "nft, by policy", port: tcp22, nft: "table inet filter { chain input { type filter hook input priority 0; policy drop; ct state established accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; iif lo accept; iifname eth1 accept; }\n}",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "inet filter", Chain: "input", Policy: true},
		line: "nft insert rule inet filter input 'meta mark & 0x10000000 == 0x10000000 accept'"},
	{name: "nft, in a chain that is called", port: tcp22, nft: "table inet filter { chain last { tcp dport { 22, 80 } counter drop; }\nchain input { type filter hook input priority 0; ct state established accept; jump last; }\n}",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "inet filter", Chain: "last", Rule: "tcp dport { 22, 80 } counter packets 1 bytes 60 drop"},
		line: "nft insert rule inet filter input 'meta mark & 0x10000000 == 0x10000000 accept'"},
	{name: "nft, by reject", port: tcp22, nft: "table inet filter { chain input { type filter hook input priority 0; ct state established accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; reject with icmpx admin-prohibited; }\n}",
		outcome: reach.Rejected, blocker: reach.Blocker{Table: "inet filter", Chain: "input", Rule: "reject with icmpx admin-prohibited"},
		line: "nft insert rule inet filter input 'meta mark & 0x10000000 == 0x10000000 accept'"},
	{name: "nft, at prerouting", port: tcp22, nft: "table inet filter { chain early { type filter hook prerouting priority 0; ct state established accept; tcp dport 22 drop; }\n}",
		outcome: reach.Dropped, blocker: reach.Blocker{Table: "inet filter", Chain: "early", Rule: "tcp dport 22 drop"},
		line: "nft insert rule inet filter early 'meta mark & 0x10000000 == 0x10000000 accept'"},
}

// TestRealReachThroughFirewalls: after one connection the chain and the rule are known that stop a
// granted source, and the line that lets it through. The line is run as it is.
func TestRealReachThroughFirewalls(t *testing.T) {
	for _, tt := range firewalls {
		t.Run(tt.name, func(t *testing.T) {
			w := newCabled(t)
			w.needs("iptables")
			w.behind()
			w.listen(serverAddress + ":22")
			if tt.setup != "" {
				w.run("", "sh", "-ec", tt.setup)
			}
			w.run(tt.nft, "nft", "-f", "-")
			g := NewGuard(GuardConfig{})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: []packet.Port{tt.port}}, nil))
			w.measure(g)
			apply(t, g, element(clientAddress, tt.port, time.Hour))
			if r := reach.Of(g.Reached(), netip.MustParsePrefix(clientAddress+"/32"), tt.port, time.Time{}); r.Outcome != reach.Unused {
				t.Errorf("before any packet: %+v", r)
			}
			to := serverAddress + tt.port.String()[3:]
			to = strings.Replace(to, "/", ":", 1)
			if w.slips("", to) {
				t.Fatal("the firewall stops nothing")
			}
			r := w.result(g, clientAddress, tt.port, reach.Dropped, reach.Rejected, reach.Unanswered, reach.Answered)
			if r.Outcome != tt.outcome || r.Blocker == nil {
				t.Fatalf("%+v, want %s", r, tt.outcome)
			}
			got := *r.Blocker
			if (got.Handle == 0) != got.Policy {
				t.Errorf("handle %d of a policy: %v", got.Handle, got.Policy)
			}
			got.Handle = 0
			if strings.Contains(got.Rule, "counter packets") { // several SYNs may have come
				got.Rule = tt.blocker.Rule
			}
			if got != tt.blocker {
				t.Errorf("stopped by %+v, want %+v", got, tt.blocker)
			}
			if run := commands(r.Lines); len(run) != 1 || run[0] != tt.line {
				t.Errorf("lines %q, want %q", r.Lines, tt.line)
			}
			must(t, g.Recheck())
			if len(g.Reached()) != 1 {
				t.Error("a result is forgotten whose cause is still there")
			}
			w.follow(r.Lines)
			must(t, g.Recheck())
			if got := g.Reached(); len(got) != 0 {
				t.Errorf("known in spite of the line: %+v", got)
			}
			if !w.reaches("", to) {
				t.Fatal("the line does not let it through")
			}
			if r := w.result(g, clientAddress, tt.port, reach.Answered); r.Closed || r.Blocker != nil || r.Lines != nil {
				t.Errorf("once it is open: %+v", r)
			}
			apply(t, g, element(clientAddress, tt.port, 0))
			if w.slips("", to) {
				t.Error("the line opens the port without a grant")
			}
		})
	}
}

// TestRealReachAnswers: what a host without a firewall answers, over both families and protocols.
func TestRealReachAnswers(t *testing.T) {
	for _, answer := range []Answer{AnswerAuto, AnswerDrop, AnswerReject} {
		t.Run(string(answer), func(t *testing.T) { reachAnswers(t, answer) })
	}
}

func reachAnswers(t *testing.T, answer Answer) {
	w := newCabled(t)
	w.listen(":22")
	w.echo(":53")
	silent, err := net.ListenPacket("udp", ":54")
	must(t, err)
	defer silent.Close()
	udp54, udp55 := packet.Port{Proto: packet.UDP, Number: 54}, packet.Port{Proto: packet.UDP, Number: 55}
	g := NewGuard(GuardConfig{Answer: answer})
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, tcp80, udp53, udp54, udp55}}, nil))
	w.measure(g)
	for _, client := range []string{clientAddress, client6Address} {
		host := serverAddress
		if client == client6Address {
			host = server6Address
		}
		for _, tt := range []struct {
			port    packet.Port
			outcome reach.Outcome
			closed  bool
		}{
			{tcp22, reach.Answered, false},
			{tcp80, reach.Answered, true},
			{udp53, reach.Answered, false},
			{udp54, reach.Unanswered, false},
			{udp55, reach.Answered, true},
		} {
			apply(t, g, element(client, tt.port, time.Hour))
			w.atClient(func() {
				conn, err := net.DialTimeout(tt.port.Proto.String(), net.JoinHostPort(host, fmt.Sprint(tt.port.Number)), generous)
				if err == nil {
					_, _ = conn.Write([]byte("x"))
					_ = conn.Close()
				}
			})
			if r := w.result(g, client, tt.port, reach.Answered, reach.Unanswered, reach.Dropped); r.Outcome != tt.outcome || r.Closed != tt.closed || r.Blocker != nil {
				t.Errorf("%s at %v: %+v, want %s", client, tt.port, r, tt.outcome)
			}
		}
	}
}
