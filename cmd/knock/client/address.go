package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// addresses returns the first IPv4 and the first IPv6 address of the host, in the order in
// which programs try them.
func (o *options) addresses(ctx context.Context) ([]netip.Addr, error) {
	found, err := lookUp(ctx, o.host)
	if err != nil {
		return nil, err
	}
	var chosen []netip.Addr
	for _, address := range found {
		have := func(a netip.Addr) bool { return a.Is4() == address.Is4() }
		if o.wants(address) && !slices.ContainsFunc(chosen, have) {
			chosen = append(chosen, address)
		}
	}
	if len(chosen) == 0 {
		family := "IPv4"
		if o.ipv6 {
			family = "IPv6"
		}
		return nil, fmt.Errorf("host %q has no %s address", o.host, family)
	}
	return chosen, nil
}

// wants reports whether the address is of a requested family.
func (o *options) wants(a netip.Addr) bool {
	return o.ipv4 == o.ipv6 || a.Is4() == o.ipv4
}

// lookUp returns the addresses of a host, or the address that it already is.
func lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	literal := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		literal = host[1 : len(host)-1]
	}
	if address, err := netip.ParseAddr(literal); err == nil {
		return []netip.Addr{address.Unmap()}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if dns, ok := errors.AsType[*net.DNSError](err); ok {
			return nil, fmt.Errorf("looking up host %q: %s", host, dns.Err)
		}
		return nil, fmt.Errorf("looking up host %q: %w", host, err)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, nil
}

// routed returns nil if this machine has a route to the address. Connecting a UDP socket sends
// nothing.
func routed(ctx context.Context, to netip.Addr) error {
	const discard = 9 // any port has the same route
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(ctx, "udp", netip.AddrPortFrom(to, discard).String())
	if err == nil {
		return conn.Close()
	}
	if to.IsLinkLocalUnicast() && to.Is6() && to.Zone() == "" {
		return fmt.Errorf("a link-local address needs its interface: expected something like %s%%eth0", to)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("no way to %s: %w", to, err)
}
