package packet

import "net/netip"

// This file finds packets that no host can have sent, or that no host accepts: a stranger wrote
// them. They must be no knocks, since their source would get into rules and commands. Linux accepts
// all sources of 0.0.0.0/8 but the first, since version 5.3. Nobody may have one on the Internet.

var (
	thisNetwork = netip.PrefixFrom(netip.IPv4Unspecified(), 8) // RFC 1122, section 3.2.1.3
	broadcast   = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// possible reports whether a packet can have these addresses. looped means that it came over a
// loopback interface, if that is known.
//
// Addresses of 240.0.0.0/4 but the last are possible: they are reserved, yet some networks use
// them, and Linux does not refuse them. A host that has no address yet asks all others for one. So
// it has no source then, and the engine drops what is for all. The engine also judges this host's
// own addresses.
func possible(source, dest netip.Addr, looped, known bool) bool {
	switch {
	case source.IsUnspecified():
		return dest.IsMulticast() || dest == broadcast
	case nobody(source):
		return false
	case source.IsLoopback() || dest.IsLoopback():
		return source.IsLoopback() && dest.IsLoopback() && (looped || !known)
	}
	return true
}

// Foreign reports whether an address can be that of another host which knocks. What has any other
// source is malformed.
func Foreign(source netip.Addr) bool {
	return !source.IsUnspecified() && !source.IsLoopback() && !nobody(source)
}

// nobody reports whether an address is of no single host.
func nobody(source netip.Addr) bool {
	return source.IsMulticast() || source == broadcast || thisNetwork.Contains(source)
}

// The IPv4 options that name the way of a packet (RFC 791, section 3.1): the answer goes back on
// that way, to somebody who need not have the source address. Hosts do not accept them (RFC 6274,
// section 3.13.2.3 and 3.13.2.4).
const (
	looseSourceRoute  = 131
	strictSourceRoute = 137
)

// sourceRouted reports whether IPv4 options have a source route. The decoder has checked their
// lengths.
func sourceRouted(options []byte) bool {
	const end, noOperation = 0, 1
	for len(options) > 0 {
		switch options[0] {
		case looseSourceRoute, strictSourceRoute:
			return true
		case end:
			return false
		case noOperation:
			options = options[1:]
			continue
		}
		if len(options) < 2 || int(options[1]) < 2 || int(options[1]) > len(options) {
			return false
		}
		options = options[options[1]:]
	}
	return false
}
