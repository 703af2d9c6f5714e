package firewall

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// The messages of sock_diag about sockets are those of include/uapi/linux/inet_diag.h: struct
// inet_diag_req_v2 asks, struct inet_diag_msg answers.
const (
	diagRequestSize = 56
	diagReplySize   = 72
	diagID          = 8 // offset of struct inet_diag_sockid in the request; in the reply it is 4
	stateUnbound    = 7 // TCP_CLOSE, which is that of each UDP socket without a peer
	stateListen     = 10
)

// listeners returns the addresses of this network namespace at which a program waits at a port: TCP
// that listens, UDP without a peer. The unspecified address stands for all.
func listeners(port packet.Port) (all []netip.Addr, err error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		replies, err := conn.Execute(diagQuestion(family, port))
		if err != nil {
			return nil, err
		}
		for _, r := range replies {
			if a, ok := diagAddress(r.Data, port.Number); ok && !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

func diagQuestion(family uint8, port packet.Port) netlink.Message {
	data := make([]byte, diagRequestSize)
	data[0], data[1] = family, protocolNumber(port.Proto)
	states := uint32(1 << stateListen)
	if port.Proto == packet.UDP {
		states = 1 << stateUnbound
	}
	binary.NativeEndian.PutUint32(data[4:], states)
	binary.BigEndian.PutUint16(data[diagID:], port.Number)
	return netlink.Message{Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump}, Data: data}
}

// diagAddress reads the address of a socket at the port. Kernels may answer with sockets at others.
func diagAddress(data []byte, port uint16) (netip.Addr, bool) {
	if len(data) < diagReplySize || binary.BigEndian.Uint16(data[4:]) != port {
		return netip.Addr{}, false
	}
	switch data[0] {
	case unix.AF_INET:
		return addressOf(data[8:12]), true
	case unix.AF_INET6:
		return addressOf(data[8:24]), true
	}
	return netip.Addr{}, false
}

// waits reports whether a program waits at an address and port of this host; else where it waits
// instead. Known is false when that cannot be told: the address is another host's, or the kernel
// does not say. A socket at the unspecified IPv6 address counts for IPv4, too.
func waits(to netip.AddrPort, proto packet.Proto) (there bool, instead []netip.Addr, known bool) {
	if !localAddresses()[to.Addr()] {
		return false, nil, false
	}
	all, err := listeners(packet.Port{Proto: proto, Number: to.Port()})
	if err != nil {
		return false, nil, false
	}
	for _, a := range all {
		if a.Unmap() == to.Addr() || a.IsUnspecified() && (a.Is6() || to.Addr().Is4()) {
			return true, nil, true
		}
	}
	return false, all, true
}

// hasNoRoute reports whether this host has no route to an address. It sends nothing.
func hasNoRoute(a netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH)
	}
	_ = conn.Close()
	return false
}
