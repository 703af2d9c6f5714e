package scrub

import (
	"crypto/sha256"
	"net/netip"
	"slices"
)

// classes are networks whose meaning an address must keep: the decoder and conditions treat them
// unlike others. No address comes in or out of them.
var classes = parsed(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"224.0.0.0/4", "255.255.255.255/32", "::/96", "64:ff9b::/96", "fe80::/10", "fc00::/7", "ff00::/8")

// unspecified and such are not replaced at all.
var fixed = parsed("0.0.0.0/32", "127.0.0.0/8", "::/127", "224.0.0.0/4", "255.255.255.255/32", "ff00::/8")

func parsed(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// stays reports whether the bit behind a prefix is never replaced: it tells the kind of an address,
// or it leads to a class.
func stays(prefix netip.Prefix) bool {
	first := 8
	if prefix.Addr().Is6() {
		first = 16
	}
	return prefix.Bits() < first || slices.ContainsFunc(classes, func(class netip.Prefix) bool {
		return class.Bits() > prefix.Bits() && prefix.Contains(class.Addr())
	})
}

// address returns the address in the place of a. Two addresses that have a prefix in common have
// one of the same length in common afterwards, as Xu, Fan, Ammar and Moon describe for Crypto-PAn.
// The first 8 bits of IPv4 and the first 16 of IPv6 stay.
func (s *scrubber) address(a netip.Addr) netip.Addr {
	if !a.IsValid() || s.keep[Addresses] {
		return a
	}
	for _, network := range fixed {
		if network.Contains(a) {
			return a
		}
	}
	if a.Is4In6() {
		return netip.AddrFrom16(s.address(a.Unmap()).As16())
	}
	if was, known := s.addresses[a]; known {
		return was
	}
	b := a.AsSlice()
	for bit := range len(b) * 8 {
		prefix, _ := a.Prefix(bit) // bit is in range
		if stays(prefix) {
			continue
		}
		text, _ := prefix.MarshalBinary()
		sum := sha256.Sum256(append(s.key[:], text...))
		b[bit/8] ^= sum[0] & 1 << (7 - bit%8)
	}
	to, _ := netip.AddrFromSlice(b)
	if len(s.addresses) < maxAddresses {
		s.addresses[a] = to
	}
	return to
}

// prefix returns the network in the place of p.
func (s *scrubber) prefix(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(s.address(p.Addr()), p.Bits()).Masked()
}
