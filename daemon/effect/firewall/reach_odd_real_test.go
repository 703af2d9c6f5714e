package firewall

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// TestRealReachOfOddHosts: what cannot be known is not said, and what cannot be traced is no alarm.
func TestRealReachOfOddHosts(t *testing.T) {
	for _, tt := range []struct {
		name, nft string
		reached   bool
		want      reach.Outcome
		line      string // a part of the lines
	}{
		{"without connection tracking", "table inet x { chain early { type filter hook prerouting priority raw; tcp dport 22 notrack; }\nchain out { type filter hook output priority raw; tcp sport 22 notrack; }\n}", true, reach.Passed, ""},
		{"without connection tracking, and dropped", "table inet x { chain early { type filter hook prerouting priority raw; tcp dport 22 notrack; }\nchain in { type filter hook input priority 0; tcp dport 22 drop; }\n}", false, reach.Dropped, "nft insert rule inet x in "},
		{"in a zone", "table inet x { chain early { type filter hook prerouting priority raw; tcp dport 22 ct zone set 5; }\nchain out { type filter hook output priority raw; tcp sport 22 ct zone set 5; }\n}", true, reach.Passed, ""},
		{"the answer is dropped", "table inet x { chain out { type filter hook output priority 0; tcp sport 22 drop; }\n}", false, reach.Unanswered, "# this machine answered, and the client never confirmed that"},
		{"another program traces, too", "table inet x { chain early { type filter hook prerouting priority raw; meta nftrace set 1; }\nchain in { type filter hook input priority 0; tcp dport 22 drop; }\n}", false, reach.Dropped, "nft insert rule inet x in "},
		{"another table takes the trace away", "table inet x { chain in { type filter hook input priority -5; meta nftrace set 0; }\n}", true, reach.Answered, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, g := newGuard(t, GuardConfig{})
			w.run(tt.nft, "nft", "-f", "-")
			w.measure(g)
			apply(t, g, element(clientAddress, tcp22, time.Hour))
			if tt.reached != (tt.reached && w.reaches("", server4) || !tt.reached && w.slips("", server4)) {
				t.Fatal("the host does something else")
			}
			r := w.result(g, clientAddress, tcp22, reach.Passed, reach.Dropped, reach.Unanswered, reach.Answered)
			if r.Outcome != tt.want || !strings.Contains(strings.Join(r.Lines, "\n"), tt.line) || tt.line == "" && r.Lines != nil {
				t.Errorf("%+v, want %s", r, tt.want)
			}
		})
	}
}

// TestRealReachBearsLosses: while the reader is busy another program's traces overflow its buffer.
// After that it finds out again what becomes of grants.
func TestRealReachBearsLosses(t *testing.T) {
	a := newAttack(t)
	w := a.cabled
	w.listen(":22")
	g := a.guarded(GuardConfig{}, tcp22)
	w.run(`table inet x { chain early { type filter hook prerouting priority raw; udp dport 9 meta nftrace set 1 counter; `+strings.Repeat("counter\n", 60)+` }
	chain in { type filter hook input priority 0; tcp dport 22 drop; }
}`, "nft", "-f", "-")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy, free := make(chan struct{}, 1), make(chan struct{})
	w.beside(func() {
		if err := g.Measure(ctx, time.Now, func(reach.Result) {
			select {
			case busy <- struct{}{}:
				<-free
			default:
			}
		}); err != nil {
			w.t.Error(err)
		}
	})
	w.listens()
	apply(t, g, element(clientAddress, tcp22, time.Hour), element(client6Address, tcp22, time.Hour))
	a.ask(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: 40000, dport: 22, flags: tcpSYN}.bytes())
	eventually(t, "the reader is busy", func() bool { return len(busy) == 1 })
	noise := crafted{from: netip.MustParseAddr("192.0.2.1"), to: netip.MustParseAddr(serverAddress), sport: 40000, dport: 9, udp: true}.bytes()
	for range 40 {
		for range 50 {
			a.send(noise)
		}
		a.ask()
	}
	dropped := w.run("", "sh", "-c", "awk '$2==12 && $4==\"00000100\" {print $9}' /proc/thread-self/net/netlink")
	if strings.Trim(dropped, "0\n") == "" {
		t.Fatalf("no message was lost: %q", dropped)
	}
	<-busy // it stays busy for this result alone
	busy <- struct{}{}
	close(free)
	// Messages of a packet may be lost while the rest of the noise is read.
	limit, sport := time.Now().Add(generous), uint16(40001)
	eventually(t, "a packet is followed", func() bool {
		a.ask(crafted{from: netip.MustParseAddr(client6Address), to: netip.MustParseAddr(server6Address), sport: sport, dport: 22, flags: tcpSYN}.bytes())
		sport++
		r := reach.Of(g.Reached(), netip.MustParsePrefix(client6Address+"/128"), tcp22, time.Time{})
		return r.Outcome == reach.Dropped && r.Blocker.Table == "inet x" && r.Blocker.Chain == "in" || time.Now().After(limit)
	})
	if time.Now().After(limit) {
		t.Fatalf("nothing is found out any more: %+v", g.Reached())
	}
}

// TestRealReachOfAFlood: a granted source that opens many connections causes few traces, and few
// results.
func TestRealReachOfAFlood(t *testing.T) {
	a := newAttack(t)
	g := a.guarded(GuardConfig{}, tcp22)
	a.run("table inet x { chain in { type filter hook input priority 0; tcp dport 22 drop; }\n}", "nft", "-f", "-")
	var changes atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a.beside(func() {
		if err := g.Measure(ctx, time.Now, func(reach.Result) { changes.Add(1) }); err != nil {
			a.t.Error(err)
		}
	})
	a.listens()
	count := a.traceCounter()
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	begun := time.Now()
	const sent = 3000
	for i := range sent {
		a.send(crafted{from: netip.MustParseAddr(clientAddress), to: netip.MustParseAddr(serverAddress), sport: uint16(10000 + i), dport: 22, flags: tcpSYN}.bytes())
		if i%300 == 0 {
			a.ask()
		}
	}
	a.ask()
	a.result(g, clientAddress, tcp22, reach.Dropped)
	most := tracedBurst + tracedRate*(1+int(time.Since(begun)/time.Second))
	traced := count()
	if traced == 0 || traced > most {
		t.Errorf("%d of %d packets are traced, want 1 to %d", traced, sent, most)
	}
	if changes.Load() != 1 {
		t.Errorf("%d results are told, want 1", changes.Load())
	}
}

// traceCounter returns a function that counts the packets that our rules began to trace in the
// meantime.
func (w *cabled) traceCounter() func() int {
	w.t.Helper()
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	must(w.t, errors.Join(conn.JoinGroup(unix.NFNLGRP_NFTRACE), conn.SetReadBuffer(receiveBuffer)))
	return func() (count int) {
		for {
			must(w.t, conn.SetReadDeadline(time.Now().Add(patience)))
			messages, err := conn.Receive()
			if err != nil {
				return count
			}
			for _, m := range messages {
				if one, ok := traceMessage(m); ok && one.Chain == trackedChain.name {
					count++
				}
			}
		}
	}
}

// traces returns a function that reports whether our rules traced anything in the meantime.
func (w *cabled) traces() func() bool {
	count := w.traceCounter()
	return func() bool { return count() > 0 }
}

// TestRealMeasureEnds with its context, also without a packet.
func TestRealMeasureEnds(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w.beside(func() { ended <- g.Measure(ctx, time.Now, func(reach.Result) {}) })
	w.listens()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRealReachOfUDPThroughAContainer finds a datagram that is dropped on its way to a container.
func TestRealReachOfUDPThroughAContainer(t *testing.T) {
	w := newCabled(t)
	w.behind()
	w.run("table ip nat { chain p { type nat hook prerouting priority dstnat; udp dport 5300 dnat to 203.0.113.2:53; }\n}\ntable inet x { chain onward { type filter hook forward priority 0; udp dport 53 drop; }\n}", "nft", "-f", "-")
	udp5300 := packet.Port{Proto: packet.UDP, Number: 5300}
	g := NewGuard(GuardConfig{})
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{udp5300}}, nil))
	w.measure(g)
	apply(t, g, element(clientAddress, udp5300, time.Hour))
	w.datagram(serverAddress + ":5300")
	if r := w.result(g, clientAddress, udp5300, reach.Dropped, reach.Unanswered); r.Outcome != reach.Dropped || r.Blocker.Chain != "onward" {
		t.Errorf("%+v", r)
	}
}

// datagram sends one from the client.
func (w *cabled) datagram(to string) {
	w.t.Helper()
	w.atClient(func() {
		conn, err := net.Dial("udp", to)
		must(w.t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("x"))
		must(w.t, err)
	})
}
