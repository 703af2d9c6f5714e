package split

import "net/netip"

// nat64 is the well-known prefix of translated IPv4 addresses (RFC 6052, section 2.1). The last 32
// bits of an address in it are an IPv4 address.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Plain returns the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) and in
// one of the NAT64 prefix 64:ff9b::/96, and any other address without its zone. Two addresses with
// the same plain form are of one client. A network may use another prefix for NAT64, and nobody
// outside can tell.
func Plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		bytes := a.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return a
}

// Near reports whether two addresses are neighbours, as those that a carrier gives to one client:
// of one IPv4 /24, or one IPv6 /48. Translated addresses are compared in their plain form, so that
// the whole IPv4 Internet behind one NAT64 prefix is not one neighbourhood.
func Near(a, b netip.Addr) bool {
	a, b = Plain(a), Plain(b)
	bits := 24
	if a.Is6() {
		bits = 48
	}
	network, err := a.Prefix(bits)
	return err == nil && network.Contains(b)
}

// otherFamily reports whether one packet went over IPv4 and the other over IPv6. Then a host has
// another address for each, and a client does too.
func otherFamily(a, b netip.Addr) bool { return a.Is4() != b.Is4() }
