package firewall

import (
	"cmp"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// probes are a stranger's packets to tcp/22 and udp/5353. The last belongs to no connection.
func probes(from, to netip.Addr) map[string]crafted {
	return map[string]crafted{
		"SYN": {from: from, to: to, sport: 41001, dport: 22, flags: tcpSYN, seq: 1},
		"UDP": {from: from, to: to, sport: 41001, dport: 5353, udp: true, payload: []byte("hello")},
		"FIN": {from: from, to: to, sport: 41002, dport: 22, flags: 1, seq: 1},
	}
}

// TestRealAnswers holds what each answer means, on a host without a firewall and on one that
// drops, and that an answer takes the place of another while grants go on.
func TestRealAnswers(t *testing.T) {
	for _, host := range hosts[:2] {
		a := newAttack(t)
		if host.rules != "" {
			a.run(host.rules, "nft", "-f", "-")
		}
		services := []*service{a.serve(tcp22), a.serve(udp5353)}
		guards := effect.Guards{Drop: []packet.Port{tcp22, udp5353}}
		granted := element("192.0.2.99", tcp22, time.Hour)
		for i, answer := range []Answer{AnswerDrop, AnswerReject, AnswerAuto, "", AnswerReject, AnswerDrop} {
			g := NewGuard(GuardConfig{Answer: answer})
			must(t, g.Install(guards, []effect.Element{granted}))
			want := 1
			if answer == AnswerDrop || answer != AnswerReject && host.rules != "" {
				want = 0
			}
			for family, f := range bothFamilies() {
				for name, c := range probes(f.stranger, f.server) {
					a.forget()
					if got := len(a.ask(c.bytes())); got != want {
						t.Errorf("%s, answer %q, %s %s: %d answers, want %d", host.name, answer, family, name, got, want)
					}
				}
			}
			if !a.opens(crafted{from: netip.MustParseAddr("192.0.2.99"), to: netip.MustParseAddr(serverAddress), sport: 42000 + uint16(i), dport: 22, flags: tcpSYN}) {
				t.Errorf("%s, answer %q: who has a grant is stopped", host.name, answer)
			}
			shown, _, err := g.Show()
			must(t, err)
			// A chain of the user drops the FIN before we look at it.
			if want := cmp.Or(answer, AnswerAuto); shown.Answer != want {
				t.Errorf("%s, answer %q: shown is %q", host.name, answer, shown.Answer)
			}
			if least := uint64(4); shown.Dropped < least {
				t.Errorf("%s, answer %q: counted %d, want %d at least", host.name, answer, shown.Dropped, least)
			}
			must(t, g.Close())
		}
		if n := services[0].received() + services[1].received(); n > 0 {
			t.Errorf("the services received %d times", n)
		}
	}
}

// TestRealRepairKeepsStandingFlows removes the table. What was standing before the first guard
// goes on after the repair; what began while there was no table does not.
func TestRealRepairKeepsStandingFlows(t *testing.T) {
	for family, f := range bothFamilies() {
		a := newAttack(t)
		// Something tracks connections before the guard does.
		a.run("table inet tracking { chain prerouting { type filter hook prerouting priority 0; ct state new accept; }\n}", "nft", "-f", "-")
		s := a.serve(udp5353)
		datagram := func(sport uint16) []byte {
			return crafted{from: f.stranger, to: f.server, sport: sport, dport: 5353, udp: true, payload: []byte("hello")}.bytes()
		}
		begin := func(sport uint16) {
			a.ask(datagram(sport))
			if s.received() != 1 {
				t.Fatal("the port is not open")
			}
			s.sendTo(netip.AddrPortFrom(f.stranger, sport))
		}
		begin(41001)
		a.ask(datagram(41009))
		s.received() // and the service does not answer
		g := a.guarded(GuardConfig{}, udp5353)
		a.run("", "nft", "delete table inet sesame")
		begin(41002)
		must(t, g.Install(effect.Guards{Drop: []packet.Port{udp5353}}, nil))
		for sport, want := range map[uint16]int{41001: 1, 41002: 0, 41003: 0, 41009: 0} {
			if a.ask(datagram(sport)); s.received() != want {
				t.Errorf("%s: from port %d the service received other than %d", family, sport, want)
			}
		}
		t.Log("# a port that is guarded later: its flows go on, too")
		later := packet.Port{Proto: packet.UDP, Number: 5354}
		s = a.serve(later)
		again := crafted{from: f.stranger, to: f.server, sport: 41001, dport: 5354, udp: true, payload: []byte("hello")}
		a.ask(again.bytes())
		s.received()
		s.sendTo(netip.AddrPortFrom(f.stranger, 41001))
		unanswered := again
		unanswered.sport = 41005
		a.ask(unanswered.bytes())
		s.received()
		must(t, g.Install(effect.Guards{Drop: []packet.Port{udp5353, later}}, nil))
		if a.ask(unanswered.bytes()); s.received() != 0 {
			t.Errorf("%s: a flow that nobody answered goes on", family)
		}
		apply(t, g, element(f.stranger.String(), later, time.Minute))
		if a.ask(unanswered.bytes()); s.received() != 1 {
			t.Errorf("%s: a flow that was refused once is refused in spite of a grant", family)
		}
		apply(t, g, element(f.stranger.String(), later, 0))
		if a.ask(again.bytes()); s.received() != 1 {
			t.Errorf("%s: a flow to a port that is guarded later ends", family)
		}
		if again.sport++; len(a.ask(again.bytes())) != 1 || s.received() != 0 {
			t.Errorf("%s: a port that is guarded later is open", family)
		}
	}
}
