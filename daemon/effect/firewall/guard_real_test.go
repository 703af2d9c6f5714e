package firewall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

var (
	tcp22   = packet.Port{Proto: packet.TCP, Number: 22}
	tcp80   = packet.Port{Proto: packet.TCP, Number: 80}
	udp53   = packet.Port{Proto: packet.UDP, Number: 53}
	server4 = serverAddress + ":22"
	server6 = "[" + server6Address + "]:22"
)

func element(source string, port packet.Port, remaining time.Duration) effect.Element {
	if !strings.Contains(source, "/") {
		a := netip.MustParseAddr(source)
		return effect.Element{Source: netip.PrefixFrom(a, a.BitLen()), Port: port, Remaining: remaining, Grant: 7, Door: "ssh"}
	}
	return effect.Element{Source: netip.MustParsePrefix(source), Port: port, Remaining: remaining, Grant: 7, Door: "ssh"}
}

// newGuard makes two hosts of which the server listens on tcp/22 and tcp/80, and
// a guard on tcp/22.
func newGuard(t *testing.T, cfg GuardConfig) (*cabled, *Guard) {
	t.Helper()
	w := newCabled(t)
	w.listen(":22")
	w.listen(":80")
	g := NewGuard(cfg)
	t.Cleanup(func() { must(t, g.Close()) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	return w, g
}

func apply(t *testing.T, f effect.Firewall, elements ...effect.Element) {
	t.Helper()
	must(t, errors.Join(f.Apply(elements)...))
}

func TestRealGuardShutsAndOpens(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	for _, to := range []string{server4, server6} {
		if w.slips("", to) {
			t.Errorf("%s is guarded, and open", to)
		}
	}
	if !w.reaches("", serverAddress+":80") {
		t.Error("a port that nobody guards is shut")
	}
	apply(t, g, element(clientAddress, tcp22, time.Minute), element(client6Address, tcp22, time.Minute))
	for _, to := range []string{server4, server6} {
		if !w.reaches("", to) {
			t.Errorf("%s is shut to a granted source", to)
		}
	}
	other := "198.51.100.3"
	w.atClient(func() { w.address(other + "/24") })
	if w.slips(other, server4) {
		t.Error("the grant of one address opens the port to another")
	}
	apply(t, g, element(clientAddress, tcp22, 0))
	if w.slips("", server4) {
		t.Error("a grant that was taken back still opens")
	}
	apply(t, g, element(clientAddress, tcp22, 0)) // again: that it is gone is no error
}

func TestRealGrantEndsByItself(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	apply(t, g, element(clientAddress, tcp22, time.Hour))
	if !w.reaches("", server4) {
		t.Fatal("a grant does not open")
	}
	apply(t, g, element(clientAddress, tcp22, 100*time.Millisecond))
	must(t, g.Close()) // nobody is there to close it
	eventually(t, "the kernel ends the grant", func() bool { return !w.slips("", server4) })
}

func TestRealRenewAndShorten(t *testing.T) {
	_, g := newGuard(t, GuardConfig{})
	for _, want := range []time.Duration{time.Hour, time.Hour, 2 * time.Hour, 30 * time.Minute} {
		began := time.Now()
		apply(t, g, element(clientAddress, tcp22, want), element("192.0.2.0/24", tcp22, want), element("2001:db8:1::/48", udp53, want))
		got, err := g.Elements()
		must(t, err)
		if len(got) != 3 {
			t.Fatalf("elements: %v", got)
		}
		for _, e := range got {
			// The kernel counts in ticks, of 10 ms at most.
			if end := time.Now().Add(e.Remaining); e.Remaining > want || end.Before(began.Add(want-20*time.Millisecond)) {
				t.Errorf("%v ends at %v, %v from %v: expected %v", e.Source, end, e.Remaining, began, want)
			}
			if e.Grant != 7 || e.Door != "ssh" {
				t.Errorf("%v is of grant %d, door %q", e.Source, e.Grant, e.Door)
			}
		}
	}
}

func TestRealNetworks(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	apply(t, g, element("198.51.100.0/24", tcp22, time.Minute), element("2001:db8::/64", tcp22, time.Minute))
	if !w.reaches("", server4) || !w.reaches("", server6) {
		t.Error("the grant of a network does not open to an address in it")
	}
	// A network inside: the engine never requests one, and it must not spoil others.
	errs := g.Apply([]effect.Element{element("198.51.100.0/25", tcp22, time.Minute), element("192.0.2.9", tcp22, time.Minute)})
	if len(errs) != 2 || errs[0] == nil || errs[1] != nil {
		t.Errorf("an overlapping network and another change: %v", errs)
	}
	if e := fmt.Sprint(errs[0]); !strings.Contains(e, "198.51.100.0/25 to tcp/22: it overlaps a network that has access already") {
		t.Errorf("the error says %q", e)
	}
	// A wider one takes the place of one inside; removing what is not there is fine.
	apply(t, g, element("198.51.100.0/24", tcp22, 0), element("198.51.100.128/25", tcp22, 0), element("198.51.0.0/16", tcp22, time.Minute))
	if !w.reaches("", server4) {
		t.Error("the wider network does not open")
	}
	apply(t, g, element("198.51.0.0/16", tcp22, -1), element("::/0", tcp22, time.Minute), element("0.0.0.0/0", tcp80, time.Minute))
	if w.slips("", server4) || !w.reaches("", server6) {
		t.Error("the networks are not as they were set last")
	}
}

func TestRealApplyKeepsOrder(t *testing.T) {
	_, g := newGuard(t, GuardConfig{})
	bad := element(clientAddress, packet.Port{Proto: packet.ICMP, Number: 1}, time.Minute)
	errs := g.Apply([]effect.Element{
		element(clientAddress, tcp22, time.Minute), bad,
		element(clientAddress, tcp22, 0),
		element("192.0.2.1", tcp22, 0),
		element("192.0.2.1", tcp22, time.Minute),
		element("::ffff:192.0.2.1", tcp22, time.Hour), // the same place
	})
	if len(errs) != 6 || errs[1] == nil || errors.Join(append(errs[:1:1], errs[2:]...)...) != nil {
		t.Errorf("errors: %v", errs)
	}
	got, err := g.Elements()
	must(t, err)
	want := []effect.Element{{Source: netip.MustParsePrefix("192.0.2.1/32"), Port: tcp22, Grant: 7, Door: "ssh"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(effect.Element{}, "Remaining"), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	if got[0].Remaining < time.Minute {
		t.Errorf("%v remain: the last change does not hold", got[0].Remaining)
	}
}

func TestRealTrusted(t *testing.T) {
	w, _ := newGuard(t, GuardConfig{Trusted: []netip.Prefix{
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("198.51.100.2/32"), netip.MustParsePrefix("198.51.101.0/24"), netip.MustParsePrefix("2001:db8::2/128"),
	}})
	if !w.reaches("", server4) || !w.reaches("", server6) {
		t.Error("a trusted source is stopped")
	}
	g := NewGuard(GuardConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("255.255.255.0/24")}})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	shown, ok, err := g.Show()
	must(t, err)
	if !ok || !slices.Equal(shown.Trusted, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("255.255.255.0/24")}) {
		t.Errorf("trusted: %v", shown.Trusted)
	}
	if w.slips("", server4) || w.slips("", server6) {
		t.Error("a source that is no longer trusted passes")
	}
	g = NewGuard(GuardConfig{TrustedInterfaces: []string{"cable"}})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	if !w.reaches("", server4) {
		t.Error("who comes by a trusted interface is stopped")
	}
	if conn, err := net.DialTimeout("tcp", server4, generous); err != nil {
		t.Errorf("this host cannot reach itself: %v", err)
	} else {
		_ = conn.Close()
	}
}

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

func TestRealStandingSessionGoesOn(t *testing.T) {
	w := newCabled(t)
	w.listen(":22")
	var conn net.Conn
	w.atClient(func() {
		var err error
		conn, err = net.DialTimeout("tcp", server4, generous)
		must(t, err)
	})
	defer conn.Close()
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil)) // tracking of connections begins here
	if w.slips("", server4) {
		t.Fatal("the port is not guarded")
	}
	if !w.exchange(conn, generous) {
		t.Error("a session that stood before the guard has ended")
	}
}

// container is a third host behind the server, whose tcp/80 the server forwards
// its own port to.
func (w *cabled) container(port string) {
	w.t.Helper()
	inside := namespace(w.t)
	must(w.t, netns.Set(w.server))
	must(w.t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "inner"}, PeerName: "inner", PeerNamespace: netlink.NsFd(inner(inside))}))
	link, err := netlink.LinkByName("inner")
	must(w.t, err)
	w.addTo(link, "203.0.113.1/24")
	must(w.t, netlink.LinkSetUp(link))
	must(w.t, netns.Set(inside))
	link, err = netlink.LinkByName("inner")
	must(w.t, err)
	w.addTo(link, "203.0.113.2/24")
	must(w.t, netlink.LinkSetUp(link))
	w.run("", "ip", "route", "add", "default", "via", "203.0.113.1")
	w.listen("203.0.113.2:80")
	w.connected("inner")
	must(w.t, netns.Set(w.server))
	w.connected("inner")
	w.run("", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	w.run("table ip nat { chain prerouting { type nat hook prerouting priority dstnat; tcp dport "+port+" dnat to 203.0.113.2:80; }\n}", "nft", "-f", "-")
}

func inner(ns netns.NsHandle) int { return int(ns) }

func TestRealForwardedPort(t *testing.T) {
	w := newCabled(t)
	w.container("22")
	if !w.reaches("", server4) {
		t.Fatal("the port is not forwarded")
	}
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	if w.slips("", server4) {
		t.Error("a forwarded port is not guarded")
	}
	apply(t, g, element(clientAddress, tcp22, time.Minute))
	if !w.reaches("", server4) {
		t.Error("a granted source cannot reach a forwarded port")
	}
	// To the container itself: on its way to another host, and none of our business.
	w.atClient(func() { w.run("", "ip", "route", "add", "203.0.113.0/24", "via", serverAddress) })
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp80}}, nil))
	if !w.reaches("", "203.0.113.2:80") {
		t.Error("what goes to another host is stopped")
	}
}

func TestRealMarkThroughOtherChain(t *testing.T) {
	w, g := newGuard(t, GuardConfig{Mark: 0x5e5a0})
	w.run("table inet filter { chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; meta l4proto ipv6-icmp accept; }\n}", "nft", "-f", "-")
	apply(t, g, element(clientAddress, tcp22, time.Minute), element(client6Address, tcp22, time.Minute))
	if w.slips("", server4) {
		t.Fatal("a chain that drops everything does not")
	}
	conflicts, err := g.Conflicts()
	must(t, err)
	if len(conflicts) != 1 || conflicts[0].Table != "inet filter" || conflicts[0].Chain != "input" || len(conflicts[0].Remedies) != 1 {
		t.Fatalf("conflicts: %+v", conflicts)
	}
	w.run("", "sh", "-c", conflicts[0].Remedies[0].Line)
	if !w.reaches("", server4) || !w.reaches("", server6) {
		t.Error("a granted packet is dropped in spite of the line")
	}
	if again, err := g.Conflicts(); err != nil || len(again) != 0 {
		t.Errorf("conflicts after the remedy: %+v, %v", again, err)
	}
	apply(t, g, element(clientAddress, tcp22, 0))
	if w.slips("", server4) {
		t.Error("the line opens the port without a grant")
	}
}

func TestRealForeignFlushIsRepaired(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	guards, elements := effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{element(client6Address, tcp22, time.Minute)}
	must(t, g.Install(guards, elements))
	var calls atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	w.beside(func() {
		if err := g.Monitor(ctx, func() {
			calls.Add(1)
			if err := g.Install(guards, elements); err != nil {
				t.Errorf("repairing: %v", err)
			}
		}); err != nil {
			t.Errorf("monitoring: %v", err)
		}
	})
	defer cancel()
	eventually(t, "the first call", func() bool { return calls.Load() == 1 })
	for _, damage := range []string{
		"flush ruleset", "delete table inet sesame", "flush chain inet sesame guard", "flush set inet sesame guarded",
		"delete element inet sesame guarded { tcp . 22 }", "add table inet sesame { flags dormant; }",
		"insert rule inet sesame guard accept", "add chain inet sesame other; add set inet sesame mine { type mark; }",
		"add element inet sesame grants4 { 198.51.100.2 . tcp . 22 timeout 1h }", "add element inet sesame grants4 { 198.51.100.2 . sctp . 22 }",
		"add element inet sesame networks4 { 198.51.100.1-198.51.100.9 . tcp . 20-30 }", "add element inet sesame trusted4 { 198.51.100.0/24 }",
		"add element inet sesame interfaces { cable }",
	} {
		before := calls.Load()
		w.run("", "nft", damage)
		eventually(t, "a call after "+damage, func() bool { return calls.Load() > before })
		eventually(t, "the repair of "+damage, func() bool { return !w.slips("", server4) && w.reaches("", server6) })
	}
	// Our own changes, and what others do elsewhere, lead to no call.
	w.run("", "nft", "add table ip elsewhere")
	before := calls.Load()
	for i := range 100 {
		apply(t, g, element("192.0.2.1", tcp22, time.Duration(i%2)*time.Minute))
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22, udp53}}, elements))
	w.run("", "nft", "add chain ip elsewhere none; add rule ip elsewhere none accept")
	must(t, g.Install(guards, elements))
	w.run("", "nft", "add chain ip elsewhere base { type filter hook input priority 0; }")
	eventually(t, "a call after a base chain of another", func() bool { return calls.Load() > before })
	if n := calls.Load(); n != before+1 {
		t.Errorf("%d calls for one change of another", n-before)
	}
}

// hammer sends the first packet of a connection to tcp/22 as often as it can until
// stop is called, which returns how many were answered. It counts what it sends: at
// some 50,000 a second hardly a moment passes without one.
func (w *cabled) hammer(sent *atomic.Int64) (stop func() (opened int)) {
	end, done := make(chan struct{}), make(chan struct{})
	opened := 0
	started := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := netns.Set(w.client); err != nil {
			w.t.Error(err)
		}
		close(started)
		var waiting []unix.PollFd
		for running := true; running; {
			select {
			case <-end:
				running = false
			default:
			}
			for range 200 {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					w.t.Error(err)
					return
				}
				_ = unix.Connect(fd, &unix.SockaddrInet4{Port: 22, Addr: netip.MustParseAddr(serverAddress).As4()}) // in progress
				waiting = append(waiting, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
			}
			sent.Add(int64(len(waiting)))
			_, _ = unix.Poll(waiting, 0)
			for _, one := range waiting {
				if one.Revents&unix.POLLOUT != 0 && one.Revents&unix.POLLERR == 0 {
					opened++
				}
				_ = unix.Close(int(one.Fd))
			}
			waiting = waiting[:0]
		}
	}()
	<-started
	return func() int { close(end); <-done; return opened }
}

func TestRealReinstallLeavesNoGap(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	kept := element("192.0.2.1", tcp22, time.Hour)
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{kept}))
	// What an older version may have left: other rules, other sets, another chain.
	older := []string{
		"add rule inet sesame guard accept",
		"add set inet sesame old { type ipv4_addr; }; insert rule inet sesame guard ip saddr @old accept",
		"add chain inet sesame older { type filter hook prerouting priority -200; policy accept; }; add rule inet sesame older tcp dport 22 tcp flags & (syn|ack) == syn drop",
		"flush chain inet sesame guard; delete chain inet sesame guard; add chain inet sesame guard { type filter hook prerouting priority -140; policy accept; }; add rule inet sesame guard tcp dport 22 tcp flags & (syn|ack) == syn drop",
	}
	var sent atomic.Int64
	stop := w.hammer(&sent)
	for i := 0; i < 60 || sent.Load() < 1000; i++ {
		if i%5 == 0 {
			w.run("", "nft", older[i/5%len(older)])
		}
		fresh := NewGuard(GuardConfig{}) // as after a restart: it does not know what it left
		guards := effect.Guards{Drop: []packet.Port{tcp22}}
		if i%2 == 0 {
			guards.Drop = append(guards.Drop, tcp80, udp53)
		}
		must(t, fresh.Install(guards, []effect.Element{kept}))
		must(t, fresh.Close())
	}
	if opened := stop(); opened > 0 {
		t.Errorf("of %d packets %d opened a guarded port while the guard was installed again", sent.Load(), opened)
	}
	got, err := g.Elements()
	must(t, err)
	if len(got) != 1 || got[0].Source != kept.Source {
		t.Errorf("elements: %v", got)
	}
}

func TestRealReinstallLeavesWhatIsRight(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	guards := effect.Guards{Drop: []packet.Port{tcp22}}
	elements := []effect.Element{element("192.0.2.1", tcp22, time.Hour), element("192.0.2.128/25", tcp22, time.Hour), element("2001:db8:7::/48", udp53, time.Hour)}
	must(t, g.Install(guards, elements))
	if w.slips("", server4) {
		t.Fatal("the port is open")
	}
	before := w.run("", "nft", "-a", "list", "table", "inet", "sesame")
	handles := func(s string) string { // without the times that are left
		var lines []string
		for line := range strings.Lines(s) {
			if !strings.Contains(line, "expires") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	must(t, g.Install(guards, elements))
	if diff := cmp.Diff(handles(before), handles(w.run("", "nft", "-a", "list", "table", "inet", "sesame"))); diff != "" {
		t.Errorf("an install of what is there already changed the table (-before +after):\n%s", diff)
	}
	fresh := NewGuard(GuardConfig{})
	defer fresh.Close()
	must(t, fresh.Install(guards, append(elements[:1:1], element("192.0.2.7", tcp22, time.Minute))))
	shown, _, err := fresh.Show()
	must(t, err)
	if shown.Dropped == 0 {
		t.Error("a new install forgets what was counted")
	}
	if got := len(shown.Elements); got != 2 {
		t.Errorf("%d elements: %v", got, shown.Elements)
	}
}

// TestRealListingLoads loads what nft prints: people keep their rulesets so.
func TestRealListingLoads(t *testing.T) {
	w, g := newGuard(t, GuardConfig{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, TrustedInterfaces: []string{"wg0"}})
	e := element(clientAddress, tcp22, time.Hour)
	e.Door = "a \"door\"; flush ruleset # ünï" + strings.Repeat("é", 100)
	network := element("192.0.2.0/24", tcp22, time.Hour)
	guards := effect.Guards{Drop: []packet.Port{tcp22}, Count: []packet.Port{udp53}}
	must(t, g.Install(guards, []effect.Element{e, network}))
	saved := w.run("", "nft", "list", "ruleset")
	w.run("", "nft", "flush", "ruleset")
	w.run(saved, "nft", "-f", "-")
	got, err := g.Elements()
	must(t, err)
	if len(got) != 2 || got[1].Source != e.Source || !strings.HasPrefix(got[1].Door, "a \"door\"; flush ruleset # ünï") {
		t.Errorf("elements after the listing was loaded: %v", got)
	}
	shown, _, err := g.Show()
	must(t, err)
	if diff := cmp.Diff(guards, shown.Guards); diff != "" {
		t.Errorf("guards (-want +got):\n%s", diff)
	}
	if !w.reaches("198.51.100.2", server4) {
		t.Error("the grant does not open")
	}
}

func TestRealManyElements(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	elements := make([]effect.Element, 20_000)
	for i := range elements {
		elements[i] = element(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), tcp22, time.Hour)
		elements[i].Grant = uint64(i)
	}
	start := time.Now()
	apply(t, g, elements...)
	t.Logf("20,000 elements in %v", time.Since(start))
	start = time.Now()
	got, err := g.Elements()
	must(t, err)
	t.Logf("read back in %v", time.Since(start))
	if len(got) != len(elements) {
		t.Fatalf("%d elements", len(got))
	}
	start = time.Now()
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, elements))
	t.Logf("an install of what is there in %v", time.Since(start))
	w.run("", "nft", "flush", "ruleset")
	start = time.Now()
	more := append(slices.Clone(elements), element(clientAddress, tcp22, time.Hour))
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, more))
	t.Logf("a repair in %v", time.Since(start))
	if !w.reaches("", server4) {
		t.Error("the last of many elements is missing")
	}
	for i := range elements {
		elements[i].Remaining = 0
	}
	start = time.Now()
	apply(t, g, elements...)
	t.Logf("removed in %v", time.Since(start))
	if got, err = g.Elements(); err != nil || len(got) != 1 {
		t.Errorf("%d elements are left: %v", len(got), err)
	}
}

func TestRealGone(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	w.run("", "nft", "delete table inet sesame")
	errs := g.Apply([]effect.Element{element(clientAddress, tcp22, time.Minute), element("192.0.2.0/24", tcp22, time.Minute)})
	for _, err := range errs {
		if !errors.Is(err, effect.ErrGone) {
			t.Errorf("a change without a table: %v", err)
		}
	}
	if len(errs) != 2 {
		t.Errorf("%d errors", len(errs))
	}
	if got, err := g.Elements(); len(got) != 0 || err != nil {
		t.Errorf("elements without a table: %v, %v", got, err)
	}
	if _, ok, err := g.Show(); ok || err != nil {
		t.Errorf("a table that is gone is shown: %v", err)
	}
	if err := g.GrantDirectly(netip.MustParsePrefix(clientAddress+"/32"), tcp22, time.Minute); !errors.Is(err, effect.ErrGone) {
		t.Errorf("a direct grant without a table: %v", err)
	}
	must(t, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	apply(t, g, element(clientAddress, tcp22, time.Minute))
	if !w.reaches("", server4) {
		t.Error("after a repair nothing opens")
	}
}

func TestRealGrantDirectly(t *testing.T) {
	w, g := newGuard(t, GuardConfig{})
	source := netip.MustParsePrefix(clientAddress + "/32")
	must(t, g.GrantDirectly(source, tcp22, time.Hour))
	if !w.reaches("", server4) {
		t.Error("a direct grant does not open")
	}
	must(t, g.GrantDirectly(source, tcp22, time.Minute))
	got, err := g.Elements()
	must(t, err)
	if len(got) != 1 || got[0].Remaining < 50*time.Minute || got[0].Grant != 0 || got[0].Door != "" {
		t.Errorf("a shorter grant after a longer one: %v", got)
	}
	if was, err := g.Remove(); !was || err != nil {
		t.Errorf("removing: %v, %v", was, err)
	}
	if was, err := g.Remove(); was || err != nil {
		t.Errorf("removing again: %v, %v", was, err)
	}
	apply(t, g)
	if !w.reaches("198.51.100.2", server4) {
		t.Error("without the table the port is shut")
	}
}

// BenchmarkApply changes one element: what a knock waits for.
func BenchmarkApply(b *testing.B) {
	newCabled(b)
	g := NewGuard(GuardConfig{})
	defer g.Close()
	must(b, g.Install(effect.Guards{Drop: []packet.Port{tcp22}}, nil))
	for b.Loop() {
		must(b, errors.Join(g.Apply([]effect.Element{element(clientAddress, tcp22, time.Minute)})...))
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
