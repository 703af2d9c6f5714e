package engine

import (
	"net/netip"
	"slices"

	"sesame/daemon/packet"
)

// locals are this host's addresses.
type locals struct {
	single   map[netip.Addr]bool
	networks []netip.Prefix
}

// newLocals returns nil, which means every address, for nil.
func newLocals(addresses []netip.Prefix) *locals {
	if addresses == nil {
		return nil
	}
	l := &locals{single: make(map[netip.Addr]bool)}
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

// classify says why p is no knock, or Kept. It comes before every policy.
func (e *Engine) classify(p *packet.Packet) packet.Drop {
	if len(e.index.strict) > 0 && p.Port.Proto == packet.UDP && e.local != nil && e.local.has(p.Source) {
		e.flows.see(segment{p.Source.As16(), 0, p.SourcePort, p.Port.Number})
	}
	if !e.local.has(p.Dest) {
		return packet.NotLocal
	}
	if !e.watched(p) {
		return packet.NotWatched
	}
	if p.Port.Proto == packet.TCP &&
		e.segments.see(segment{p.Source.As16(), p.Sequence, p.SourcePort, p.Port.Number}) {
		return packet.Retransmit
	}
	return packet.Kept
}

// watched reports whether some door minds p.
func (e *Engine) watched(p *packet.Packet) bool {
	for _, d := range e.index.ports[p.Port] {
		if d.wants(p) {
			return true
		}
	}
	return len(e.index.strict) > 0 && e.stray(p)
}

// stray reports whether p is a wrong knock to strict doors: it asks for
// something that this host neither offers to the source nor asked it for.
func (e *Engine) stray(p *packet.Packet) bool {
	switch {
	case p.Port.Proto == packet.TCP && !SYN.Holds(p.Flags), p.Port.Proto == packet.ICMP:
		return false
	case e.index.guards[p.Port], e.grants.reaches(p.Source, p.Port):
		return false
	}
	return p.Port.Proto == packet.TCP ||
		!e.flows.knows(segment{p.Dest.As16(), 0, p.Port.Number, p.SourcePort})
}
