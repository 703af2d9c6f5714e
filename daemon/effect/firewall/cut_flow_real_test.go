package firewall

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// A UDP client sees no reset: its socket gets nothing more.
type datagrams struct {
	t    *testing.T
	conn net.Conn
}

func (w *cabled) datagrams(t *testing.T, to string) datagrams {
	t.Helper()
	var d datagrams
	w.atClient(func() {
		conn, err := net.Dial("udp", to)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		d = datagrams{t, conn}
	})
	return d
}

func (d datagrams) answered(patience time.Duration) bool {
	d.t.Helper()
	must(d.t, d.conn.SetDeadline(time.Now().Add(patience)))
	if _, err := d.conn.Write([]byte("ping")); err != nil {
		return false
	}
	_, err := d.conn.Read(make([]byte, 10))
	return err == nil
}

// The service answers a flow that was granted for ever (case n8). With the flow cut, the same
// socket gets nothing, also when the service sends by itself.
func TestRealCutEndsAFlow(t *testing.T) {
	for _, tt := range []struct{ name, source, to, grant string }{
		{"IPv4", clientAddress, serverAddress + ":53", clientAddress},
		{"IPv6", client6Address, "[" + server6Address + "]:53", client6Address},
		{"a network", clientAddress, serverAddress + ":53", "198.51.100.0/24"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newCabled(t)
			service, err := net.ListenPacket("udp", ":53")
			must(t, err)
			t.Cleanup(func() { service.Close() })
			peers := make(chan net.Addr, 1)
			go answer(service, peers)
			g := NewGuard(GuardConfig{})
			t.Cleanup(func() { must(t, g.Close()) })
			must(t, g.Install(effect.Guards{Drop: []packet.Port{udp53}}, nil))
			apply(t, g, element(tt.grant, udp53, time.Hour))
			flow := w.datagrams(t, tt.to)
			for range 2 {
				if !flow.answered(generous) {
					t.Fatal("a grant does not open")
				}
			}
			peer := <-peers
			apply(t, g, element(tt.grant, udp53, 0))
			if !flow.answered(generous) {
				t.Error("a flow ends with a grant that does not cut")
			}
			apply(t, g, cut(tt.grant, udp53))
			if flow.answered(patience) {
				t.Error("a flow that was cut is answered")
			}
			t.Log("# the service sends by itself")
			_, err = service.WriteTo([]byte("hello"), peer)
			must(t, err)
			must(t, flow.conn.SetDeadline(time.Now().Add(generous)))
			_, err = flow.conn.Read(make([]byte, 10))
			must(t, err)
			if flow.answered(patience) {
				t.Error("the answer to what the service sends passes")
			}
			apply(t, g, element(tt.source, udp53, time.Hour))
			if !flow.answered(generous) {
				t.Error("a new grant does not open")
			}
		})
	}
}

// answer sends datagrams back, and reports the first peer.
func answer(service net.PacketConn, peers chan<- net.Addr) {
	b := make([]byte, 100)
	for {
		n, from, err := service.ReadFrom(b)
		if err != nil {
			return
		}
		select {
		case peers <- from:
		default:
		}
		_, _ = service.WriteTo(b[:n], from)
	}
}

// Strangers fill the table of connections. The kernel returns the flows of the asked port alone, so
// to end one costs no more for that.
func TestRealOnlyFlowsOfThePortAreRead(t *testing.T) {
	a := newAttack(t)
	a.guarded(GuardConfig{}, tcp22) // else the kernel tracks nothing
	for _, f := range bothFamilies() {
		for sport := range uint16(200) {
			for _, dport := range []uint16{9999, 53} {
				if dport == 9999 || sport < 3 {
					a.send(crafted{from: f.stranger, to: f.server, sport: 1000 + sport, dport: dport, udp: true}.bytes())
				}
			}
			a.send(crafted{from: f.stranger, to: f.server, sport: 1000 + sport, dport: 53, flags: tcpSYN}.bytes())
		}
	}
	a.ask()
	s := &socket{}
	t.Cleanup(func() { must(t, s.close()) })
	for family, f := range bothFamilies() {
		about := asked{packet.Port{Proto: packet.UDP, Number: 53}, f.server.Is6()}
		read := 0
		count := func(reply) { read++ }
		if must(t, s.query(about.question(), count)); read != 3 {
			t.Errorf("%s: %d flows are read, want 3", family, read)
		}
		must(t, s.forget(about, []place{{source: netip.PrefixFrom(f.stranger, f.stranger.BitLen()), port: about.port}}))
		read = 0
		if must(t, s.query(about.question(), count)); read != 0 {
			t.Errorf("%s: %d flows are left", family, read)
		}
	}
}
