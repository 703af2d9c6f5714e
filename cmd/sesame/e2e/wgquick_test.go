//go:build linux

package e2e

import (
	"net"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// wgQuick is what wg-quick(8) loads for an interface with a default route: it keeps the mark of its
// own packets in conntrack, and restores it for the answers.
const wgQuick = `table ip wg-quick-wg0 {
	chain preraw { type filter hook prerouting priority -300; iifname != "wg0" ip daddr 10.9.0.2 fib saddr type != local drop; }
	chain premangle { type filter hook prerouting priority -150; meta l4proto udp meta mark set ct mark; }
	chain postmangle { type filter hook postrouting priority -150; meta l4proto udp mark 0xca6c ct mark set mark; }
}`

const wireguardDoor = `sesame.door "vpn" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = "10s", guards = "udp/51820", ttl = "2s" }`

// A flow is a UDP socket of the client, connected to the server.
type flow struct{ net.Conn }

// answered reports whether the server answers a datagram. Whoever expects an answer tries again,
// and whoever expects none has one try.
func (f flow) answered(w *world, tries int) bool {
	w.Helper()
	for range tries {
		if err := f.SetReadDeadline(time.Now().Add(shutLimit)); err != nil {
			w.Fatal(err)
		}
		_, _ = f.Write([]byte("x")) // an earlier refusal is an error of the next call
		if _, err := f.Read(make([]byte, 10)); err == nil {
			return true
		}
	}
	return false
}

const (
	once  = 1
	until = 100 // 15 seconds: the kernel forgets a young flow after 30
)

// echoDatagrams answers each datagram to an address of the host until the end of the test.
func echoDatagrams(t *testing.T, h *livetest.Host, address string) {
	t.Helper()
	conn, err := h.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		data := make([]byte, 100)
		for {
			n, from, err := conn.ReadFrom(data)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(data[:n], from)
		}
	}()
}

// TestRealWGQuick guards the port of a VPN beside the rules of wg-quick. A flow from before the
// guard goes on, also over restarts. A new one needs a grant, and goes on after the grant's end.
func TestRealWGQuick(t *testing.T) {
	w := newWorld(t, map[string]string{"vpn.lua": wireguardDoor})
	w.nft(wgQuick)
	echoDatagrams(t, w.net.Server, server4+":51820")
	flowFrom := func() flow {
		conn, err := w.net.Client.Dial("udp", server4+":51820", patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return flow{conn}
	}
	standing := flowFrom()
	for range 2 { // the kernel is sure of a flow after an answer to an answer
		if !standing.answered(w, until) {
			t.Fatal("the server does not answer without a guard")
		}
	}
	w.start()
	if !standing.answered(w, until) {
		t.Error("a flow from before the guard has ended")
	}
	stranger := flowFrom()
	if stranger.answered(w, once) {
		t.Error("a stranger is answered")
	}
	w.knock(sshKnocks...)
	w.eventually("there is a grant", func() bool { return len(w.grants()) == 1 })
	granted := flowFrom()
	for range 2 {
		if !granted.answered(w, until) {
			t.Fatal("who knocked is not answered")
		}
	}
	w.eventually("the grant has ended", func() bool { return len(w.grants()) == 0 })
	if !granted.answered(w, until) {
		t.Error("the flow has ended with its grant")
	}
	if late := flowFrom(); late.answered(w, once) {
		t.Error("a new flow is answered after the end of the grant")
	}
	w.kill()
	w.start()
	if !granted.answered(w, until) {
		t.Error("a flow that was granted has ended with the daemon")
	}
	if !standing.answered(w, until) {
		t.Error("a flow from before the guard has ended with the daemon")
	}
	w.nothingWrong()
}
