package engine

import (
	"net/netip"
	"slices"
)

// locals are the addresses of this host.
type locals struct {
	all      []netip.Prefix
	single   map[netip.Addr]bool
	networks []netip.Prefix
}

// newLocals returns nil for nil, which means that every address is local.
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

func (l *locals) has(a netip.Addr) bool {
	if l == nil || l.single[a] {
		return true
	}
	return slices.ContainsFunc(l.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}
