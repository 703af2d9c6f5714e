package firewall

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// TestRealRefusedIsNeverForwarded has a chain of others that translates before all usual ones, and
// a flow that the kernel knows from before the guard.
func TestRealRefusedIsNeverForwarded(t *testing.T) {
	a := newAttack(t)
	a.container("22")
	a.run("table ip early { chain prerouting { type nat hook prerouting priority -198; tcp dport 22 dnat to 203.0.113.2:80; udp dport 5353 dnat to 203.0.113.2:80; }\n}", "nft", "-f", "-")
	syn := crafted{from: netip.MustParseAddr(strangerAddress), to: netip.MustParseAddr(serverAddress), sport: 41001, dport: 22, flags: tcpSYN}
	if !a.opens(syn) {
		t.Fatal("the port is not forwarded")
	}
	forwarded := a.counting("oifname inner meta l4proto { tcp, udp }")
	known := crafted{from: syn.from, to: syn.to, sport: 41002, dport: 5353, udp: true, payload: []byte("hello")}
	a.ask(known.bytes())
	if forwarded() != 1 {
		t.Fatal("a datagram is not forwarded")
	}
	a.guarded(GuardConfig{}, tcp22, udp5353)
	for range 3 {
		a.ask(known.bytes()) // has an entry, without an answer and without room for a label
		fresh := known
		fresh.sport++
		a.ask(fresh.bytes())
		syn.sport++
		if a.opens(syn) {
			t.Error("a refused flow is forwarded")
		}
		a.ask(syn.bytes())
	}
	if n := forwarded(); n != 1 {
		t.Errorf("%d refused packets were forwarded", n-1)
	}
}

// counting counts the packets at the hook forward that match, and returns a function that tells
// the number.
func (a *attack) counting(match string) func() int {
	a.run("table inet counting { counter seen { }\n chain forward { type filter hook forward priority -300; "+match+" counter name seen; }\n}", "nft", "-f", "-")
	return func() int {
		s := &socket{}
		defer s.close()
		counted, err := s.counters(table{unix.NFPROTO_INET, "counting"})
		must(a.t, err)
		return int(counted["seen"])
	}
}

// TestRealStandIns asks ports that stand in for guarded ones. They answer for themselves. With more
// guarded ports than stand-ins, the last ones have a common one, and answer too.
func TestRealStandIns(t *testing.T) {
	a := newAttack(t)
	var ports []packet.Port
	for n := range uint16(400) {
		ports = append(ports, packet.Port{Proto: packet.TCP, Number: 2000 + n})
	}
	asked := []uint16{2000, 225, 226, 2001, 225, closedPort, 2399, 3000}
	g := NewGuard(GuardConfig{})
	t.Cleanup(func() { must(t, g.Close()) })
	for _, guarded := range [][]packet.Port{ports[:1], ports} {
		must(t, g.Install(effect.Guards{Drop: guarded}, nil))
		for family, f := range bothFamilies() {
			for _, port := range asked {
				for _, flags := range []byte{tcpSYN, 0, 1, 0, tcpACK, tcpSYN} {
					c := crafted{from: f.stranger, to: f.server, sport: 41001, dport: port, flags: flags, seq: 7, ack: 9}
					answers := a.ask(c.bytes())
					if len(answers) != 1 || !resets(answers[0], c) {
						t.Errorf("%d guarded, %s: tcp/%d answers flags %#x with %s", len(guarded), family, port, flags, fmt.Sprintf("%x", answers))
					}
				}
			}
		}
	}
}

// TestRealServicesAtStandIns has services at the ports that stand in: one of a guarded port's own,
// and the common one. What is refused never reaches them, and is answered all the same. Their own
// clients do reach them.
func TestRealServicesAtStandIns(t *testing.T) {
	var many []packet.Port
	for n := range uint16(400) {
		many = append(many, packet.Port{Proto: packet.TCP, Number: 2000 + n})
	}
	for _, host := range []struct{ name, rules string }{
		{"usual", ""},
		{"untracked", "table inet untracked { chain prerouting { type filter hook prerouting priority raw; notrack; }\n chain output { type filter hook output priority raw; notrack; }\n}"},
	} {
		t.Run(host.name, func(t *testing.T) {
			a := newAttack(t)
			if host.rules != "" {
				a.run(host.rules, "nft", "-f", "-")
			}
			g := NewGuard(GuardConfig{})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: append(many, packet.Port{Proto: packet.UDP, Number: 2000})}, nil))
			for _, at := range []struct{ asked, standsIn uint16 }{{2000, 225}, {2001, 226}, {2399, closedPort}} {
				tcp, udp := a.serve(packet.Port{Proto: packet.TCP, Number: at.standsIn}), a.serve(packet.Port{Proto: packet.UDP, Number: at.standsIn})
				for family, f := range bothFamilies() {
					for _, flags := range []byte{tcpSYN, 0, 1, 0x29, tcpSYN | 1, tcpSYN} {
						a.forget()
						c := crafted{from: f.stranger, to: f.server, sport: 41001 + at.asked, dport: at.asked, flags: flags, seq: 7}
						if answers := a.ask(c.bytes()); len(answers) != 1 || !resets(answers[0], c) {
							t.Errorf("%s: tcp/%d, for which a service stands in, answers flags %#x with %x", family, at.asked, flags, answers)
						}
					}
					a.ask(crafted{from: f.stranger, to: f.server, sport: 41001, dport: 2000, udp: true, payload: []byte("hello")}.bytes())
					if n := tcp.received() + udp.received(); n > 0 {
						t.Errorf("%s: a service at port %d got %d refused packets", family, at.standsIn, n)
					}
					own := crafted{from: f.stranger, to: f.server, sport: 42001, dport: at.standsIn, flags: tcpSYN}
					if !a.opens(own) {
						t.Errorf("%s: a client of the service at port %d is stopped", family, at.standsIn)
					}
					own.udp, own.payload = true, []byte("hello")
					if a.ask(own.bytes()); udp.received() != 1 {
						t.Errorf("%s: a datagram to the service at port %d is stopped", family, at.standsIn)
					}
				}
				tcp.close()
				udp.close()
			}
		})
	}
}

// TestRealSocketsThatOthersAssign has a rule of others that gives a packet to a socket before we
// look at it (TPROXY). Then the kernel does not look for a socket by the port.
func TestRealSocketsThatOthersAssign(t *testing.T) {
	for _, more := range []string{"", "tcp dport 22 notrack;"} {
		a := newAttack(t)
		proxy := a.serve(packet.Port{Proto: packet.TCP, Number: 8022})
		must(t, unix.SetsockoptInt(proxy.fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1))
		must(t, unix.SetsockoptInt(proxy.fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1))
		rules := "table inet proxy { chain untracked { type filter hook prerouting priority raw; " + more + " }\n"
		a.run(rules+"chain prerouting { type filter hook prerouting priority mangle; tcp dport 22 tproxy to :8022 accept; }\n}", "nft", "-f", "-")
		for i, answer := range []Answer{AnswerAuto, AnswerDrop, AnswerReject} {
			g := a.guarded(GuardConfig{Answer: answer}, tcp22)
			for family, f := range bothFamilies() {
				syn := crafted{from: f.stranger, to: f.server, sport: uint16(41001 + i), dport: 22, flags: tcpSYN, seq: 7}
				if a.opens(syn) || proxy.received() > 0 {
					t.Errorf("answer %q, %s, %q: a refused SYN reaches the socket that a rule assigns", answer, family, more)
				}
				apply(t, g, element(f.stranger.String(), tcp22, time.Minute))
				if syn.sport += 100; !a.opens(syn) {
					t.Errorf("answer %q, %s, %q: a granted SYN is stopped", answer, family, more)
				}
				apply(t, g, element(f.stranger.String(), tcp22, 0))
			}
		}
	}
}

// resets reports whether an answer is the reset of a closed port (RFC 9293, section 3.10.7.1).
func resets(ip []byte, c crafted) bool {
	at := 40
	if ip[0]>>4 == 4 {
		at = int(ip[0]&15) * 4
	}
	tcp := ip[at:]
	ports := binary.BigEndian.Uint16(tcp) == c.dport && binary.BigEndian.Uint16(tcp[2:]) == c.sport
	if c.flags&tcpACK != 0 {
		return ports && tcp[13] == tcpRST && binary.BigEndian.Uint32(tcp[4:]) == c.ack
	}
	return ports && tcp[13] == tcpRST|tcpACK && binary.BigEndian.Uint32(tcp[8:]) == c.seq+uint32(c.flags&tcpSYN)/2+uint32(c.flags&1)
}

// TestRealChainsAreRepaired damages each chain and each map that decides about packets.
func TestRealChainsAreRepaired(t *testing.T) {
	a := newAttack(t)
	a.serve(tcp22)
	guards := effect.Guards{Drop: []packet.Port{tcp22}}
	g := a.guarded(GuardConfig{}, tcp22)
	listed := func() string { return a.run("", "nft", "list", "table", "inet", "sesame") }
	before := listed()
	for _, damage := range []string{
		"flush chain inet sesame guard", "flush chain inet sesame input", "flush chain inet sesame translate", "flush chain inet sesame output", "flush chain inet sesame forward",
		"flush chain inet sesame refuse", "flush chain inet sesame spoofed", "insert rule inet sesame input accept",
		"flush map inet sesame closed", "flush map inet sesame asked", "flush set inet sesame stand_ins",
		"delete element inet sesame closed { 22 : 225 }; add element inet sesame closed { 22 : 80 }",
		"flush chain inet sesame output; delete chain inet sesame output", "add chain inet sesame later { type filter hook input priority 0; }",
	} {
		a.run("", "nft", damage)
		was := g.Repairs()
		must(t, g.Install(guards, nil))
		if g.Repairs() != was+1 {
			t.Errorf("%s: %d repairs", damage, g.Repairs()-was)
		}
		if got := listed(); len(got) != len(before) {
			t.Errorf("after %s and a repair:\n%s\nbefore:\n%s", damage, got, before)
		}
	}
	must(t, g.Install(guards, nil))
	if !slices.Equal([]packet.Port{tcp22}, portsOf(mustLook(t, g).members["guarded"])) {
		t.Error("the guarded ports differ")
	}
}

func mustLook(t *testing.T, g *Guard) guardFound {
	t.Helper()
	found, err := g.look()
	must(t, err)
	return found
}
