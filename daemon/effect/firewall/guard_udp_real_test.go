package firewall

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

func TestRealObserved(t *testing.T) {
	w := newCabled(t)
	w.listen(":22")
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Count: []packet.Port{tcp22, udp53}}, nil))
	for range 3 {
		if !w.reaches("", server4) || !w.reaches("", server6) {
			t.Fatal("an observed port is shut")
		}
	}
	apply(t, g, element("198.51.100.3", tcp22, time.Minute))
	w.atClient(func() { w.address("198.51.100.3/24") })
	if !w.reaches("198.51.100.3", server4) {
		t.Error("a granted source is stopped")
	}
	t.Log("# what an observed door gave is no grant, and yet who has it is not counted")
	observed := element("198.51.100.4", tcp22, time.Minute)
	observed.Observed = true
	apply(t, g, observed)
	w.atClient(func() { w.address("198.51.100.4/24") })
	if !w.reaches("198.51.100.4", server4) {
		t.Error("an observed port is shut")
	}
	granted, err := g.Elements()
	must(t, err)
	if len(granted) != 1 || granted[0].Observed {
		t.Errorf("the kernel has the grants %v, want the one for 198.51.100.3", granted)
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}, Count: []packet.Port{udp53}}, []effect.Element{element("198.51.100.3", tcp22, time.Minute), observed}))
	if w.slips("198.51.100.4", server4) {
		t.Error("what an observed door gave opens a port")
	}
	must(t, g.Install(effect.Guards{Count: []packet.Port{tcp22, udp53}}, []effect.Element{element("198.51.100.3", tcp22, time.Minute), observed}))
	got, err := g.Stopped()
	must(t, err)
	slices.SortFunc(got, func(a, b Stopped) int { return a.Source.Compare(b.Source) })
	want := []Stopped{
		{Source: netip.MustParseAddr(clientAddress), Port: tcp22, Packets: 3},
		{Source: netip.MustParseAddr(client6Address), Port: tcp22, Packets: 3},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Stopped{}, "Ago"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
	shown, ok, err := g.Show()
	must(t, err)
	if !ok || shown.Observed != 6 {
		t.Errorf("%d packets observed", shown.Observed)
	}
}

// exchange sends a message from the client to a port of the server, and reports
// whether an answer comes. The flow continues with the same socket.
func (w *cabled) exchange(conn net.Conn, timeout time.Duration) bool {
	w.t.Helper()
	if _, err := conn.Write([]byte("ask")); err != nil {
		return false
	}
	must(w.t, conn.SetReadDeadline(time.Now().Add(timeout)))
	n, err := conn.Read(make([]byte, 16))
	return err == nil && n > 0
}

func TestRealUDP(t *testing.T) {
	w := newCabled(t)
	echo, err := net.ListenUDP("udp", &net.UDPAddr{Port: 53})
	must(t, err)
	defer echo.Close()
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := echo.ReadFromUDP(b)
			if err != nil {
				return
			}
			if _, err := echo.WriteToUDP(b[:n], from); err != nil {
				return
			}
		}
	}()
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{udp53}}, nil))
	var flow, fresh net.Conn
	w.atClient(func() {
		flow, err = net.Dial("udp", serverAddress+":53")
		must(t, err)
		fresh, err = net.Dial("udp", serverAddress+":53")
		must(t, err)
	})
	defer flow.Close()
	defer fresh.Close()
	if w.exchange(flow, patience) {
		t.Error("a guarded UDP port answers")
	}
	apply(t, g, element(clientAddress, udp53, time.Minute))
	if !w.exchange(flow, generous) {
		t.Error("a granted source gets no answer")
	}
	apply(t, g, element(clientAddress, udp53, 0))
	if !w.exchange(flow, generous) {
		t.Error("a flow ends with its grant")
	}
	if w.exchange(fresh, patience) {
		t.Error("a new flow passes without a grant")
	}
	// Where connections are not tracked nothing is established: all needs a grant.
	w.run("table ip raw { chain prerouting { type filter hook prerouting priority raw; udp dport 53 notrack; }\n"+
		"chain output { type filter hook output priority raw; udp sport 53 notrack; }\n}", "nft", "-f", "-")
	if w.exchange(fresh, patience) || w.exchange(flow, patience) {
		t.Error("an untracked packet passes without a grant")
	}
	apply(t, g, element(clientAddress, udp53, time.Minute))
	if !w.exchange(fresh, generous) {
		t.Error("an untracked packet is stopped in spite of a grant")
	}
}

func TestRealBroadcastIsGuarded(t *testing.T) {
	w := newCabled(t)
	server, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 53})
	must(t, err)
	defer server.Close()
	w.atClient(func() { w.run("", "ip", "route", "add", "255.255.255.255/32", "dev", "cable") })
	arrives := func(timeout time.Duration) bool {
		w.atClient(func() {
			conn, err := net.ListenPacket("udp4", clientAddress+":0")
			must(t, err)
			defer conn.Close()
			_, err = conn.WriteTo([]byte("all"), &net.UDPAddr{IP: net.IPv4bcast, Port: 53})
			must(t, err)
		})
		must(t, server.SetReadDeadline(time.Now().Add(timeout)))
		_, _, err := server.ReadFrom(make([]byte, 16))
		return err == nil
	}
	if !arrives(generous) {
		t.Fatal("a broadcast does not arrive even without a guard")
	}
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{udp53}}, nil))
	if arrives(patience) {
		t.Error("a broadcast passes the guard")
	}
}

// TestRealTinyFragments sends a SYN whose flags are in a second fragment: whether
// it is put together before or not, it is dropped.
func TestRealTinyFragments(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	dropped := func() uint64 {
		shown, _, err := g.Show()
		must(t, err)
		return shown.Dropped
	}
	if w.slips("", server4) { // and the two hosts know each other from here on
		t.Fatal("the port is open")
	}
	before := dropped()
	header := []byte{0x9c, 0x40, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, tcpSYN, 0xff, 0xff, 0, 0, 0, 0}
	w.atClient(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		must(t, err)
		defer unix.Close(fd)
		for _, part := range []struct {
			from, to int
			more     byte
		}{{0, 8, 0x20}, {8, 20, 0}} {
			packet := append([]byte{0x45, 0, 0, 0, 0x12, 0x34, part.more, byte(part.from / 8), 64, unix.IPPROTO_TCP, 0, 0}, netip.MustParseAddr(clientAddress).AsSlice()...)
			packet = append(append(packet, netip.MustParseAddr(serverAddress).AsSlice()...), header[part.from:part.to]...)
			must(t, unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: netip.MustParseAddr(serverAddress).As4()}))
		}
	})
	eventually(t, "the guard drops the packet", func() bool { return dropped() == before+1 })
}
