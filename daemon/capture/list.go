package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ListLinks returns the current interfaces and addresses of this host.
func ListLinks() (*Links, error) {
	l, err := newLister()
	if err != nil {
		return nil, err
	}
	defer l.close()
	return l.list()
}

// A lister reads links and addresses from the kernel, in the network namespace in which it was
// made.
type lister struct {
	handle *netlink.Handle
	// routes is a socket for the local routing table. It is nil before Linux 4.20: without
	// NETLINK_GET_STRICT_CHK the kernel sends all tables, and a router's may have a million routes.
	routes *nl.SocketHandle
}

func newLister() (*lister, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("asking for links and addresses: %w", err)
	}
	routes, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("asking for local routes: %w", err)
	}
	l := &lister{handle: handle, routes: &nl.SocketHandle{Socket: routes}}
	if unix.SetsockoptInt(routes.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1) != nil {
		routes.Close()
		l.routes = nil
	}
	return l, nil
}

func (l *lister) close() {
	l.handle.Close()
	if l.routes != nil {
		l.routes.Close()
	}
}

// list returns a snapshot. When something changes during the call, the snapshot may mix the states
// before and after. A monitor is then notified of the change, and lists again.
func (l *lister) list() (*Links, error) {
	found, err := l.handle.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("asking for links: %w", err)
	}
	links := make([]Link, len(found))
	for i, link := range found {
		links[i] = convert(link)
	}
	on, err := l.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("asking for addresses: %w", err)
	}
	var addresses []netip.Prefix
	for _, a := range on {
		if p := prefix(a.IPNet); p.IsValid() {
			addresses = append(addresses, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	local, broadcasts := l.localRoutes()
	all := NewLinks(links, append(addresses, local...))
	slices.SortFunc(broadcasts, netip.Prefix.Compare)
	all.broadcasts = slices.Compact(broadcasts)
	return all, nil
}

func convert(link netlink.Link) Link {
	a := link.Attrs()
	converted := Link{
		Index:   a.Index,
		Name:    a.Name,
		Others:  a.AltNames,
		Up:      a.RawFlags&unix.IFF_UP != 0,
		Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
		Master:  a.MasterIndex,
	}
	// "device" is the library's word for an interface to which the kernel gives no kind.
	if kind := link.Type(); kind != "device" {
		converted.Kind = kind
	}
	// An interface that names a namespace has its parent there, and the index is of that namespace.
	if on, ok := link.(*netlink.Vlan); ok && a.NetNsID < 0 {
		converted.Parent = a.ParentIndex
		converted.VLAN = Tag{uint16(on.VlanProtocol), uint16(on.VlanId)}
	}
	return converted
}

// localRoutes returns the destinations that the kernel's local table delivers to this host, and the
// broadcast addresses in it. It ignores errors: then the addresses of the interfaces remain, and
// most hosts have no others.
func (l *lister) localRoutes() (local, broadcasts []netip.Prefix) {
	if l.routes == nil {
		return nil, nil
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
		request.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.routes}
		request.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: family, Table: unix.RT_TABLE_LOCAL}})
		messages, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			continue
		}
		for _, message := range messages {
			switch p, kind := localRoute(message); {
			case !p.IsValid():
			case kind == unix.RTN_BROADCAST:
				broadcasts = append(broadcasts, p)
			default:
				local = append(local, p)
			}
		}
	}
	return local, broadcasts
}

// localRoute returns the destination and the kind of a route (struct rtmsg in linux/rtnetlink.h) if
// packets to it are for this host, or if it is a broadcast address. Otherwise the destination is
// invalid.
func localRoute(message []byte) (destination netip.Prefix, kind byte) {
	if len(message) < unix.SizeofRtMsg {
		return netip.Prefix{}, 0
	}
	family, bits, kind := message[0], int(message[1]), message[7]
	if message[4] != unix.RT_TABLE_LOCAL || kind != unix.RTN_LOCAL && kind != unix.RTN_ANYCAST && kind != unix.RTN_BROADCAST {
		return netip.Prefix{}, 0
	}
	address := netip.IPv4Unspecified() // a default route has no RTA_DST
	if family == unix.AF_INET6 {
		address = netip.IPv6Unspecified()
	}
	for rest := message[unix.SizeofRtMsg:]; len(rest) >= unix.SizeofRtAttr; {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < unix.SizeofRtAttr || length > len(rest) {
			return netip.Prefix{}, 0
		}
		if binary.NativeEndian.Uint16(rest[2:]) == unix.RTA_DST {
			address, _ = netip.AddrFromSlice(rest[unix.SizeofRtAttr:length])
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return netip.PrefixFrom(address, bits), kind
}

func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	address, ok := netip.AddrFromSlice(n.IP)
	if bits, size := n.Mask.Size(); ok && size > 0 {
		return netip.PrefixFrom(address, bits)
	}
	return netip.Prefix{}
}
