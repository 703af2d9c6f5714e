package engine

import (
	"net/netip"
	"slices"
)

// locals are addresses, such as those of this host.
type locals struct {
	all      []netip.Prefix
	single   map[netip.Addr]bool
	networks []netip.Prefix
}

// newLocals returns nil for nil.
func newLocals(addresses []netip.Prefix) *locals {
	if addresses == nil {
		return nil
	}
	l := &locals{all: slices.Clone(addresses), single: make(map[netip.Addr]bool)}
	for _, a := range addresses {
		if a.IsSingleIP() {
			l.single[a.Addr()] = true
		} else {
			l.networks = append(l.networks, a)
		}
	}
	return l
}

// has reports whether an address is among them. Nil has none.
func (l *locals) has(a netip.Addr) bool {
	if l == nil {
		return false
	}
	return l.single[a] || slices.ContainsFunc(l.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// hasLocal reports whether an address is one of this host's.
func (e *Engine) hasLocal(a netip.Addr) bool { return e.local == nil || e.local.has(a) }

// isGroup reports whether an address is that of several hosts. The one of all hosts on a link is
// from RFC 919, section 7.
func isGroup(a netip.Addr) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
