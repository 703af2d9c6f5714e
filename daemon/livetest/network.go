//go:build linux

// Package livetest turns a test into a network of two hosts, for tests and benchmarks with a real
// kernel. The daemon runs on one host, and its clients on the other.
//
//	n := livetest.New(t)
//	n.Server.Echo("198.51.100.1:22")
//	n.Server.Exec("nft", "add table inet x")
//	n.Client.Send(t.Context(), livetest.Knocks(n.Client.IPv4.Addr(), "tcp/7000", "udp/8000"), 0)
//	n.Client.Send(t.Context(), livetest.Flood(1_000_000, livetest.Source4, 100_000, "tcp/7000"), 20_000)
//	n.Client.Connects("198.51.100.1:22", time.Second)
//
// The hosts are network namespaces, joined by one link. They reach nothing else, and no packet
// leaves them. Both are removed after the test. Making them needs root; without it the test is
// skipped.
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

// The addresses of the hosts. Each host is in a network of its own, and its gateway is the other
// host. So the answer to a packet from any source goes over the link.
var (
	Server4 = netip.MustParsePrefix("198.51.100.1/24")
	Server6 = netip.MustParsePrefix("2001:db8:1::1/64")
	Client4 = netip.MustParsePrefix("203.0.113.9/24")
	Client6 = netip.MustParsePrefix("2001:db8:9::9/64")
)

// serverIndex is the interface index of the server's end of the link. The kernel gives low numbers,
// so the client's end never gets the same one.
const serverIndex = 1001

// A Network is two hosts and the link between them.
type Network struct {
	Server, Client *Host
}

// New makes a network that lasts until the end of the test. It skips the test if it has no
// permission.
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

// newNamespace makes a network namespace without IPv6 duplicate address detection, so that
// addresses can be used at once.
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

// onOwnThread runs f on a thread that ends afterwards. So a namespace that f enters affects no
// other goroutine.
func onOwnThread(f func() error) error {
	result := make(chan error, 1) // written once
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		err := errors.New("the function never returned")
		defer func() { result <- err }()
		err = f()
	}()
	return <-result
}

// join makes the link between the hosts.
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
	// If both ends had the same index, the kernel would take them for an interface without a lower
	// link, and would report up to a second later that it is up.
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
	// A route needs a link with a carrier, which needs both ends to be up.
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

// up reports whether the kernel delivers packets to the host. It notices the carrier of a link, and
// adds the local route of an IPv6 address, a little later than the requests return.
func (h *Host) up(handle *netlink.Handle) (bool, error) {
	link, err := handle.LinkByIndex(h.index)
	if err != nil {
		return false, fmt.Errorf("reading the state of %s: %w", h.Interface, err)
	}
	routes, err := handle.RouteGet(h.IPv6.Addr().AsSlice())
	if err != nil {
		return false, fmt.Errorf("reading the route to %s: %w", h.IPv6.Addr(), err)
	}
	local := len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL
	return local && link.Attrs().OperState == netlink.OperUp, nil
}

// start gives the interfaces of a host their addresses and sets them up.
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
		// The gateway is on the link, although it is in another network.
		route := &netlink.Route{LinkIndex: h.index, Dst: everywhere, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
		if err := handle.RouteAdd(route); err != nil {
			return fmt.Errorf("routing over %s: %w", gateway, err)
		}
		// A permanent neighbour needs no ARP or neighbour discovery: when the first request is
		// lost, the kernel repeats it only after a second.
		neighbour := &netlink.Neigh{LinkIndex: h.index, IP: gateway.AsSlice(), HardwareAddr: other.mac, State: netlink.NUD_PERMANENT}
		if err := handle.NeighSet(neighbour); err != nil {
			return fmt.Errorf("naming the neighbour %s: %w", gateway, err)
		}
	}
	return nil
}
