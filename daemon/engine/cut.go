package engine

import (
	"cmp"
	"net/netip"
	"slices"

	"sesame/daemon/packet"
)

// This file decides when sessions and flows end with their grant. To end them is called to cut.

// cuts reports whether the sessions and flows of a grant that has just ended must end, too. None
// ends while another grant gives the same access. A TCP session ends when the grant says so. A UDP
// flow also ends when somebody ended the grant early: the service would answer it for as long as
// packets come.
func (e *Engine) cuts(g *grant, reason Reason) bool {
	if g.Argv != nil || g.Observed || !e.grants.latest(g.key).IsZero() || e.grants.covered(g.Source, g.Port) {
		return false
	}
	inTime := reason == Expired || reason == WindowEnded
	return g.Cut || g.Port.Proto == packet.UDP && !inTime
}

// cutSessions cuts the sessions of a source, which has no grant, to a port that an enforcing door
// guards; to all such ports if port is zero. Its grants may have ended long ago.
func (e *Engine) cutSessions(source netip.Prefix, port packet.Port) {
	done := make(map[packet.Port]bool)
	for _, event := range e.events { // those of the grants that this input ended
		if event.Kind == EventClose && event.Source == source && event.Cut {
			done[event.Port] = true
		}
	}
	for _, guarded := range e.index.enforced() {
		if !done[guarded] && (port == guarded || port == packet.Port{}) {
			e.emit(Event{Kind: EventEffect, Effect: EffectCut, Source: source, Port: guarded, Cut: true})
		}
	}
}

// enforced returns the ports that doors guard which do not only observe, sorted.
func (x *index) enforced() []packet.Port {
	var all []packet.Port
	for _, d := range x.doors {
		if !d.Observe {
			all = append(all, d.Guards...)
		}
	}
	slices.SortFunc(all, func(a, b packet.Port) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
	})
	return slices.Compact(all)
}
