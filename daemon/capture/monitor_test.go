package capture

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// monitor runs MonitorLinks in the namespace of the test until it ends.
func monitor(t testing.TB, changed func(*Links)) {
	t.Helper()
	here, err := netns.Get()
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer here.Close()
		if err := netns.Set(here); err != nil {
			ended <- err
			return
		}
		ended <- MonitorLinks(ctx, changed)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("MonitorLinks: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("MonitorLinks goes on after the end of its context")
		}
	})
}

// snapshots is monitor into a channel that holds only the latest snapshot.
func snapshots(t testing.TB) <-chan *Links {
	t.Helper()
	latest := make(chan *Links, 1)
	monitor(t, func(l *Links) {
		select {
		case <-latest:
		default:
		}
		latest <- l
	})
	return latest
}

// until takes snapshots until one is as wanted.
func until(t testing.TB, from <-chan *Links, what string, wanted func(*Links) bool) *Links {
	t.Helper()
	var last *Links
	for deadline := time.After(5 * time.Second); ; {
		select {
		case last = <-from:
			if wanted(last) {
				return last
			}
		case <-deadline:
			t.Fatalf("%s was not seen; the last was %+v", what, last)
		}
	}
}

func has(address string) func(*Links) bool {
	return func(l *Links) bool { return slices.Contains(l.Addresses(), netip.MustParsePrefix(address)) }
}

func hasNot(address string) func(*Links) bool {
	return func(l *Links) bool { return !has(address)(l) }
}

func TestRealAddresses(t *testing.T) {
	namespace(t)
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: named("here"), PeerName: "there"}))
	latest := snapshots(t)
	first := until(t, latest, "the loopback", has("127.0.0.0/8"))
	for _, address := range prefixes("127.0.0.1/32", "::1/128") {
		if !slices.Contains(first.Addresses(), address) {
			t.Errorf("%v is missing: got %v", address, first.Addresses())
		}
	}
	up(t, "here")
	up(t, "there")
	second := address(t, "here", "192.0.2.1/24")
	until(t, latest, "an address", has("192.0.2.1/32"))
	address(t, "here", "192.0.2.2/24") // secondary
	until(t, latest, "a secondary address", has("192.0.2.2/32"))
	address(t, "here", "2001:db8::1/64")
	until(t, latest, "an IPv6 address", has("2001:db8::1/128"))
	peer, err := netlink.ParseAddr("198.51.100.1/32")
	must(t, err)
	peer.Peer, _ = netlink.ParseIPNet("198.51.100.2/32")
	must(t, netlink.AddrAdd(link(t, "here"), peer))
	l := until(t, latest, "an address with a peer", has("198.51.100.1/32"))
	if has("198.51.100.2/32")(l) || has("192.0.2.255/32")(l) || has("192.0.2.0/24")(l) {
		t.Errorf("an address of somebody else is ours: %v", l.Addresses())
	}
	must(t, netlink.AddrDel(link(t, "here"), second))
	until(t, latest, "that an address is gone", hasNot("192.0.2.1/32"))

	anyIP, err := netlink.ParseIPNet("203.0.113.0/24")
	must(t, err)
	route := &netlink.Route{LinkIndex: link(t, "lo").Attrs().Index, Dst: anyIP, Table: unix.RT_TABLE_LOCAL,
		Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST}
	must(t, netlink.RouteAdd(route))
	until(t, latest, "a local route", has("203.0.113.0/24"))
	must(t, netlink.RouteDel(route))
	until(t, latest, "that a local route is gone", hasNot("203.0.113.0/24"))
}

func TestRealLinks(t *testing.T) {
	namespace(t)
	latest := snapshots(t)
	want := func(what string, names, captured, missing []string) {
		t.Helper()
		until(t, latest, what, func(l *Links) bool {
			h, m := l.Captured(names)
			return slices.Equal(h, captured) && slices.Equal(m, missing)
		})
	}
	eth := []string{"eth"}
	want("nothing", eth, nil, []string{"eth does not exist"})
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: named("eth"), PeerName: "peer"}))
	want("a new interface", eth, nil, []string{"eth is down"})
	up(t, "eth")
	want("one without carrier", eth, nil, []string{"eth has no carrier"})
	up(t, "peer")
	want("one that is up", eth, eth, nil)
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: named("bridge")}))
	must(t, netlink.LinkSetMaster(link(t, "eth"), link(t, "bridge")))
	want("a port", eth, nil, []string{"eth is a port of bridge, where its packets count"})
	must(t, netlink.LinkSetNoMaster(link(t, "eth")))
	want("a port no more", eth, eth, nil)
	must(t, netlink.LinkAddAltName(link(t, "eth"), "another-name"))
	want("another name", []string{"another-name"}, eth, nil)
	must(t, netlink.LinkDel(link(t, "eth")))
	want("that it is gone", eth, nil, []string{"eth does not exist"})
}

// There are more changes than the socket can hold: the kernel drops some, and reports ENOBUFS.
func TestRealOverflow(t *testing.T) {
	namespace(t)
	started := make(chan struct{})
	resume := make(chan struct{})
	latest := make(chan *Links, 1000)
	first := true
	monitor(t, func(l *Links) {
		if latest <- l; first {
			first = false
			close(started)
			<-resume
		}
	})
	<-started
	lo := link(t, "lo")
	for n := range 4000 {
		a, err := netlink.ParseAddr(fmt.Sprintf("10.0.%d.%d/32", n/250, n%250))
		must(t, err)
		must(t, netlink.AddrAdd(lo, a))
	}
	close(resume)
	until(t, latest, "the last address", has("10.0.15.249/32"))
}

// A change that a Links does not show is not reported.
func TestRealQuiet(t *testing.T) {
	namespace(t)
	latest := make(chan *Links, 100)
	monitor(t, func(l *Links) { latest <- l })
	until(t, latest, "the first", func(*Links) bool { return true })
	lo := link(t, "lo")
	must(t, netlink.LinkSetMTU(lo, 1400))
	for n := range 50 {
		must(t, netlink.LinkSetMTU(lo, 1400+n))
	}
	address(t, "lo", "192.0.2.1/32")
	until(t, latest, "the address", has("192.0.2.1/32"))
	if len(latest) != 0 {
		t.Errorf("%d snapshots more", len(latest))
	}
}
