//go:build linux

// Package livetest turns a test into a network of two hosts, the daemon's and
// its visitors', for tests and benchmarks against a real kernel.
//
//	n := livetest.New(t)
//	n.Server.Echo("198.51.100.1:22")
//	n.Server.Exec("nft", "add table inet x")
//	n.Client.Send(t.Context(), livetest.Knocks(n.Client.IPv4.Addr(), "tcp/7000", "udp/8000"), 0)
//	n.Client.Send(t.Context(), livetest.Flood(1_000_000, livetest.Source4, 100_000, "tcp/7000"), 20_000)
//	n.Client.Connects("198.51.100.1:22", time.Second)
//
// The hosts are network namespaces joined by one link. They can reach nothing
// else, nothing outside sees what is sent in them, and both are gone after the
// test. Making them needs root: without it, the test is skipped.
package livetest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The addresses of the hosts. The hosts are in networks of their own and each is
// the other's gateway, so that a packet from any source is answered over the
// link.
var (
	Server4 = netip.MustParsePrefix("198.51.100.1/24")
	Server6 = netip.MustParsePrefix("2001:db8:1::1/64")
	Client4 = netip.MustParsePrefix("203.0.113.9/24")
	Client6 = netip.MustParsePrefix("2001:db8:9::9/64")
)

// serverIndex is no number that the client's end of the link gets by itself.
const serverIndex = 1001

// A Network is two hosts and the link between them.
type Network struct {
	Server, Client *Host
}

// New makes a network that lasts as long as the test, and skips the test where
// that is not allowed.
func New(t testing.TB) *Network {
	t.Helper()
	n := &Network{newHost(t, "server", Server4, Server6), newHost(t, "client", Client4, Client6)}
	if err := n.join(); err != nil {
		t.Fatalf("joining two network namespaces: %v", err)
	}
	return n
}

func newHost(t testing.TB, name string, address4, address6 netip.Prefix) *Host {
	t.Helper()
	namespace, err := newNamespace()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("needs root, to make network namespaces")
	case err != nil:
		t.Fatalf("making a network namespace: %v", err)
	}
	t.Cleanup(func() { namespace.Close() })
	return &Host{Interface: name + "0", IPv4: address4, IPv6: address6, t: t, namespace: namespace}
}

// newNamespace makes a network namespace. Addresses count in it at once: nobody
// has to be asked whether they are taken.
func newNamespace() (namespace netns.NsHandle, err error) {
	err = onOwnThread(func() error {
		if namespace, err = netns.New(); err != nil {
			return err
		}
		const duplicates = "/proc/sys/net/ipv6/conf/default/accept_dad"
		if err := os.WriteFile(duplicates, []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			namespace.Close()
			return err
		}
		return nil
	})
	return namespace, err
}

// onOwnThread runs f on a thread that ends afterwards, so that whatever f does to
// the thread is gone with it.
func onOwnThread(f func() error) error {
	result := make(chan error, 1) // written once
	go func() {
		runtime.LockOSThread() // and never unlocked: that is what ends the thread
		err := errors.New("the function never returned")
		defer func() { result <- err }()
		err = f()
	}()
	return <-result
}

// join lays the link between the hosts.
func (n *Network) join() error {
	server, err := netlink.NewHandleAt(n.Server.namespace)
	if err != nil {
		return err
	}
	defer server.Close()
	client, err := netlink.NewHandleAt(n.Client.namespace)
	if err != nil {
		return err
	}
	defer client.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = n.Server.Interface
	// Interfaces with the same number in both hosts look to the kernel like one
	// that stands on no other, and it takes a second to see that such a one is up.
	attributes.Index = serverIndex
	link := &netlink.Veth{LinkAttrs: attributes, PeerName: n.Client.Interface, PeerNamespace: netlink.NsFd(n.Client.namespace)}
	if err := server.LinkAdd(link); err != nil {
		return fmt.Errorf("adding a veth pair: %w", err)
	}
	if err := n.Server.start(server); err != nil {
		return err
	}
	if err := n.Client.start(client); err != nil {
		return err
	}
	// A route needs a link that carries, and a link both of its ends.
	if err := n.Server.route(server, n.Client); err != nil {
		return err
	}
	if err := n.Client.route(client, n.Server); err != nil {
		return err
	}
	return poll(func() (bool, error) {
		if up, err := n.Server.up(server); err != nil || !up {
			return false, err
		}
		return n.Client.up(client)
	})
}

// up reports whether the kernel takes packets to the host: it sees that a link
// carries, and learns an IPv6 address, a little after it was told.
func (h *Host) up(handle *netlink.Handle) (bool, error) {
	link, err := handle.LinkByIndex(h.index)
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", h.Interface, err)
	}
	routes, err := handle.RouteGet(h.IPv6.Addr().AsSlice())
	if err != nil {
		return false, fmt.Errorf("looking for the route to %s: %w", h.IPv6.Addr(), err)
	}
	local := len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL
	return local && link.Attrs().OperState == netlink.OperUp, nil
}

// start brings the interfaces of a host up.
func (h *Host) start(handle *netlink.Handle) error {
	loopback, err := handle.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	if err := handle.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("starting lo: %w", err)
	}
	link, err := handle.LinkByName(h.Interface)
	if err != nil {
		return fmt.Errorf("finding %s: %w", h.Interface, err)
	}
	h.index, h.mac = link.Attrs().Index, link.Attrs().HardwareAddr
	for _, prefix := range []netip.Prefix{h.IPv4, h.IPv6} {
		address := &netlink.Addr{IPNet: &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}}
		if prefix.Addr().Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		if err := handle.AddrAdd(link, address); err != nil {
			return fmt.Errorf("giving %s to %s: %w", prefix, h.Interface, err)
		}
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("starting %s: %w", h.Interface, err)
	}
	return nil
}

// route makes the other host the gateway to everywhere.
func (h *Host) route(handle *netlink.Handle, other *Host) error {
	h.other = other
	for _, gateway := range []netip.Addr{other.IPv4.Addr(), other.IPv6.Addr()} {
		everywhere := &net.IPNet{IP: make(net.IP, gateway.BitLen()/8), Mask: net.CIDRMask(0, gateway.BitLen())}
		// The gateway is in another network than ours, and yet on the link.
		route := &netlink.Route{LinkIndex: h.index, Dst: everywhere, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
		if err := handle.RouteAdd(route); err != nil {
			return fmt.Errorf("routing over %s: %w", gateway, err)
		}
		// A host that asks for its neighbour before that one listens asks again only
		// after a second.
		neighbour := &netlink.Neigh{LinkIndex: h.index, IP: gateway.AsSlice(), HardwareAddr: other.mac, State: netlink.NUD_PERMANENT}
		if err := handle.NeighSet(neighbour); err != nil {
			return fmt.Errorf("naming the neighbour %s: %w", gateway, err)
		}
	}
	return nil
}
