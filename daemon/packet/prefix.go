package packet

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseNetwork reads a network such as "203.0.113.0/24" or "2001:db8::/32", or a single address,
// which is a network of one. An IPv4-mapped IPv6 address becomes the IPv4 address. A zone and bits
// beyond the prefix length are errors: anyone who writes them may mean another network.
func ParseNetwork(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") { // lists have a million networks, and an error costs memory
		if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
			address = address.Unmap()
			return netip.PrefixFrom(address, address.BitLen()), nil
		}
	}
	prefix, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf(`%q is not a network: expected one such as "203.0.113.0/24", "2001:db8::/32" or an address`, s)
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network written as IPv6: write it as IPv4", s)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its length: write %q for the network, or %q for the address", s, prefix.Masked(), prefix.Addr())
	}
	return prefix, nil
}
