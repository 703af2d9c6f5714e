package firewall

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

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
	w.behind()
	w.run("table ip nat { chain prerouting { type nat hook prerouting priority dstnat; tcp dport "+port+" dnat to 203.0.113.2:80; }\n}", "nft", "-f", "-")
}

// behind makes a third host behind the server, 203.0.113.2, with a service at tcp/80.
func (w *cabled) behind() {
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
	if len(conflicts) != 1 || conflicts[0].Table != "inet filter" || conflicts[0].Chain != "input" || len(commands(conflicts[0].Lines())) != 1 {
		t.Fatalf("conflicts: %+v", conflicts)
	}
	w.follow(conflicts[0].Lines())
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
