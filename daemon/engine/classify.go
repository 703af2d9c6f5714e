package engine

import (
	"net/netip"
	"slices"

	"sesame/daemon/packet"
)

// How many TCP segments and UDP flows are remembered at most; at least half as
// many are.
const (
	maxSegments = 1 << 16
	maxFlows    = 1 << 14
)

// locals are this host's addresses.
type locals struct {
	all      []netip.Prefix
	single   map[netip.Addr]bool
	networks []netip.Prefix
}

// newLocals returns nil, which means every address, for nil.
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

// classify says why p, to a port that doors may have, is no knock; or Kept. It
// comes before every policy.
func (e *Engine) classify(p *packet.Packet, here *portDoors) packet.Drop {
	if len(e.index.strict) > 0 && p.Port.Proto == packet.UDP && e.local != nil && e.local.has(p.Source) {
		e.flows.see(e.secret.flow(p.Source, p.Dest, p.SourcePort, p.Port.Number))
	}
	e.ours = e.local.has(p.Dest)
	if !e.ours && !e.index.targets[p.Dest] {
		return packet.NotLocal
	}
	if (here == nil || !here.want(p, e.ours)) && (len(e.index.strict) == 0 || !e.stray(p)) {
		return packet.NotWatched
	}
	if p.Port.Proto == packet.TCP &&
		e.segments.see(e.secret.segment(p.Source, p.Sequence, p.SourcePort, p.Port.Number)) {
		return packet.Retransmit
	}
	return packet.Kept
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
		!e.flows.knows(e.secret.flow(p.Dest, p.Source, p.Port.Number, p.SourcePort))
}
