package condition

import (
	"net/netip"
	"slices"

	"sesame/daemon/engine"
)

// private are networks whose addresses mean something else in each local network, so that no
// database knows them (RFC 6890).
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

// privateNetwork returns the private network of an address; the zero Prefix when it is in none.
func privateNetwork(a netip.Addr) netip.Prefix {
	for _, network := range private {
		if network.Contains(a.Unmap().WithZone("")) {
			return network
		}
	}
	return netip.Prefix{}
}

// NeedsFact reports whether a condition holds only for addresses that databases know, which
// private ones are not.
func NeedsFact(c engine.Condition) bool {
	switch c := c.(type) {
	case *anyOf:
		return every(c.members, NeedsFact)
	case *allOf:
		return slices.ContainsFunc(c.members, NeedsFact)
	case *noneOf: // an unknown member makes it unknown
		return slices.ContainsFunc(c.members, NeedsFact)
	}
	_, needs := c.(interface{ needsFact() })
	return needs
}

// OnlyPrivate reports whether a condition holds only for private addresses.
func OnlyPrivate(c engine.Condition) bool {
	switch c := c.(type) {
	case *anyOf:
		return every(c.members, OnlyPrivate)
	case *allOf:
		return slices.ContainsFunc(c.members, OnlyPrivate)
	case *networks:
		return c.private()
	}
	return false
}

func every(conditions []engine.Condition, holds func(engine.Condition) bool) bool {
	for _, c := range conditions {
		if !holds(c) {
			return false
		}
	}
	return len(conditions) > 0
}
