package firewall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// TestRealReachBeyondTheLimit: a burst of connections is dropped, and then a later one works that
// is beyond the limit of traces. It ends the alarm.
func TestRealReachBeyondTheLimit(t *testing.T) {
	a := newAttack(t)
	w := a.cabled
	w.listen(":22")
	g := a.guarded(GuardConfig{}, tcp22)
	w.run("table inet x { set banned { type ipv4_addr; elements = { 198.51.100.2 }\n}\nchain in { type filter hook input priority 0; ip saddr @banned drop; }\n}", "nft", "-f", "-")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answers atomic.Int32
	w.beside(func() {
		if err := g.Measure(ctx, time.Now, func(r reach.Result) {
			if r.Outcome == reach.Answered {
				answers.Add(1)
			}
		}); err != nil {
			w.t.Error(err)
		}
	})
	w.listens()
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	for i := range 200 {
		a.send(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: uint16(20000 + i), dport: 22, flags: tcpSYN}.bytes())
	}
	a.ask()
	w.result(g, clientAddress, tcp22, reach.Dropped)
	w.run("", "nft", "flush", "set", "inet", "x", "banned")
	// A busy machine may be so slow that the limit allows a trace again.
	w.run("", "nft", "flush", "chain", "inet", guardTable.name, trackedChain.name)
	w.run("", "nft", "add", "rule", "inet", guardTable.name, trackedChain.name, "accept")
	traced := w.traces()
	network, limit, next := netip.MustParsePrefix(clientAddress+"/32"), time.Now().Add(generous), time.Now()
	eventually(t, "a later connection ends the alarm", func() bool {
		r := reach.Of(g.Reached(), network, tcp22, time.Time{})
		if now := time.Now(); now.After(next) { // the first may be too soon to be a later one
			next = now.Add(time.Second)
			if !w.reaches("", server4) || now.After(limit) {
				t.Fatalf("%+v", r)
			}
		}
		return r.Outcome == reach.Answered && r.Blocker == nil && r.Lines == nil && !r.Closed
	})
	if traced() {
		t.Error("the later connection is traced")
	}
	eventually(t, "the answer is told", func() bool { return answers.Load() == 1 })
}

// A stepped measurement looks when the test says so.
type stepped struct {
	*measurement
	at time.Time
}

func stepping(g *Guard) *stepped {
	s := &stepped{at: time.Now()}
	if earlier := g.Reached(); len(earlier) > 0 {
		s.at = earlier[0].Last.Add(time.Second)
	}
	s.measurement = &measurement{guard: g, changed: func(reach.Result) {}, now: func() time.Time { return s.at }, stops: noStops()}
	return s
}

// stop says that a packet was stopped now.
func (s *stepped) stop(source string, port packet.Port, o reach.Outcome) {
	r, _ := s.guard.reached.Put(reach.Result{Source: netip.MustParseAddr(source), Port: port, Outcome: o}, s.at)
	s.stops.note(r)
	s.lookBeyond()
}

// look returns the outcome a second later.
func (s *stepped) look(port packet.Port) reach.Outcome {
	s.at = s.at.Add(beyondWait)
	s.lookBeyond()
	return reach.Of(s.guard.Reached(), netip.MustParsePrefix(clientAddress+"/32"), port, time.Time{}).Outcome
}

// TestRealBeyondNeedsLaterConnections: nothing ends an alarm but a connection that a grant let in
// after the drop, and that was answered.
func TestRealBeyondNeedsLaterConnections(t *testing.T) {
	a := newAttack(t)
	w := a.cabled
	w.listen(":22")
	w.echo(":53")
	g := a.guarded(GuardConfig{}, tcp22, udp53)
	apply(t, g, element(clientAddress, tcp22, time.Hour), element(client6Address, tcp22, time.Hour), element(clientAddress, udp53, time.Hour))

	standing := w.converses("tcp", server4)
	s := stepping(g)
	s.stop(clientAddress, tcp22, reach.Dropped)
	if got := s.look(tcp22); got != reach.Dropped {
		t.Errorf("a connection from before the drop: %s", got)
	}
	w.atClient(func() { must(t, standing()) })
	if got := s.look(tcp22); got != reach.Dropped {
		t.Errorf("a connection from before the drop, once it speaks again: %s", got)
	}
	a.ask(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: 30000, dport: 22, flags: tcpSYN}.bytes())
	if got := s.look(tcp22); got != reach.Dropped {
		t.Errorf("a handshake that is not complete: %s", got)
	}
	w.converses("tcp", server6)
	if got := s.look(tcp22); got != reach.Dropped {
		t.Errorf("a connection of another source: %s", got)
	}
	w.converses("tcp", server4)
	if got := s.look(tcp22); got != reach.Answered {
		t.Errorf("a later connection: %s", got)
	}

	w.converses("udp", serverAddress+":53")
	s = stepping(g)
	s.stop(clientAddress, udp53, reach.Dropped)
	if got := s.look(udp53); got != reach.Dropped {
		t.Errorf("a UDP flow from before the drop: %s", got)
	}
	w.converses("udp", serverAddress+":53")
	if got := s.look(udp53); got != reach.Answered {
		t.Errorf("a later UDP flow: %s", got)
	}
}

// TestRealBeyondTakesLateAnswers: an answer that comes late is one to what nobody had answered. It
// says nothing about a packet that was dropped.
func TestRealBeyondTakesLateAnswers(t *testing.T) {
	a := newAttack(t)
	g := a.guarded(GuardConfig{}, udp53)
	apply(t, g, element(clientAddress, udp53, time.Hour))
	for before, after := range map[reach.Outcome]reach.Outcome{reach.Unanswered: reach.Answered, reach.Dropped: reach.Dropped} {
		server, err := net.ListenPacket("udp", ":53")
		must(t, err)
		a.datagram(serverAddress + ":53")
		_, from, err := server.ReadFrom(make([]byte, 1))
		must(t, err)
		s := stepping(g)
		s.stop(clientAddress, udp53, before)
		if got := s.look(udp53); got != before {
			t.Errorf("%s, and then no answer: %s", before, got)
		}
		_, err = server.WriteTo([]byte("x"), from)
		must(t, err)
		if got := s.look(udp53); got != after {
			t.Errorf("%s, and then a late answer: %s", before, got)
		}
		must(t, server.Close())
	}
}

// TestRealBeyondTakesNoOtherFlow: what the kernel took over from before it tracked connections, and
// what no grant let in, is no later connection.
func TestRealBeyondTakesNoOtherFlow(t *testing.T) {
	a := newAttack(t)
	w := a.cabled
	w.listen(":22")
	w.listen(":80")
	g := a.guarded(GuardConfig{}, tcp22)
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	speak := w.converses("tcp", server4)
	s := stepping(g)
	eventually(t, "no entry is left", func() bool { // the client may acknowledge late
		if original := w.entry(g, tcp22); original != nil {
			m := asked{tcp22, false}.message(ctDelete, 0, netlink.Attribute{Type: ctOriginal | unix.NLA_F_NESTED, Data: original})
			must(t, g.socket.query(m, func(reply) {}))
		}
		s.at = s.at.Add(time.Millisecond)
		s.stop(clientAddress, tcp22, reach.Dropped)
		stood := s.stops.all[stop{netip.MustParseAddr(clientAddress), tcp22}].stood
		return stood != nil && len(stood) == 0
	})
	w.atClient(func() { must(t, errors.Join(speak(), speak(), speak())) }) // one alone is not assured
	if w.entry(g, tcp22) == nil {
		t.Fatal("the kernel did not take the connection over")
	}
	if got := s.look(tcp22); got != reach.Dropped {
		t.Errorf("a connection that the kernel took over: %s", got)
	}
	s = stepping(g)
	s.stop(clientAddress, tcp80, reach.Rejected)
	w.converses("tcp", serverAddress+":80")
	if got := s.look(tcp80); got != reach.Rejected {
		t.Errorf("a connection without a grant: %s", got)
	}
}

// TestRealBeyondIsBounded: of a source with too many flows nothing is concluded, few sources are
// looked at, and after an hour none.
func TestRealBeyondIsBounded(t *testing.T) {
	a := newAttack(t)
	a.listen(":22")
	g := a.guarded(GuardConfig{}, tcp22)
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	s := stepping(g)
	for i := range maxStops + 5 {
		s.at = s.at.Add(time.Millisecond)
		s.stops.note(reach.Result{Source: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Port: tcp22, Outcome: reach.Dropped, Last: s.at})
	}
	if _, oldest := s.stops.all[stop{netip.MustParseAddr("192.0.2.4"), tcp22}]; len(s.stops.all) != maxStops || oldest {
		t.Errorf("%d are looked at, want %d; the oldest one: %v", len(s.stops.all), maxStops, oldest)
	}
	s.at = s.at.Add(stopLife + time.Second)
	s.lookBeyond()
	if len(s.stops.all) != 0 || s.stops.wait(s.at) != idle {
		t.Errorf("after an hour: %v", s.stops.all)
	}
	for i := range maxStood + 1 {
		a.send(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: uint16(20000 + i), dport: 22, flags: tcpSYN}.bytes())
		if i%64 == 0 {
			a.ask()
		}
	}
	a.ask()
	s.stop(clientAddress, tcp22, reach.Dropped)
	a.reaches("", server4)
	if got := s.look(tcp22); got != reach.Dropped || s.stops.all[stop{netip.MustParseAddr(clientAddress), tcp22}].stood != nil {
		t.Errorf("with too many flows: %s, %v", got, s.stops.all)
	}
}

// converses makes the client speak with an echo until the test ends. It returns a function that
// does it again.
func (w *cabled) converses(network, to string) (again func() error) {
	w.t.Helper()
	w.atClient(func() {
		conn, err := net.DialTimeout(network, to, generous)
		must(w.t, err)
		w.t.Cleanup(func() { _ = conn.Close() })
		again = func() error {
			_ = conn.SetDeadline(time.Now().Add(generous))
			if _, err := conn.Write([]byte("x")); err != nil {
				return err
			}
			_, err := conn.Read(make([]byte, 1))
			return err
		}
		must(w.t, again())
	})
	return again
}

// entry returns the first direction of the entry of the client's connection; nil: there is none.
func (w *cabled) entry(g *Guard, port packet.Port) (original []byte) {
	w.t.Helper()
	must(w.t, g.socket.query(stop{netip.MustParseAddr(clientAddress), port}.question(), func(r reply) {
		original = append([]byte(nil), r.bytes(ctOriginal)...)
	}))
	return original
}
