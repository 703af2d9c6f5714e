package engine

import (
	"time"

	"sesame/daemon/wire"
)

// This file decides what the kernel's set holds for the grants of a port. Grants with the same
// key share one element, which lasts as long as the longest of them; a network inside a wider
// one has none.

// updateElement requests an update of the kernel's element of a grant. The grant
// itself stays as it is.
func (e *Engine) updateElement(g *grant) {
	e.addEffect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectElement, Door: g.Door, Source: g.Source,
		Grant: g.ID, Port: g.Port, Until: e.elementEnd(g.key), Observed: g.Observed,
	}, nil, term{})
}

// elementEnd returns when an element must end, zero for none. An element that would end now is
// none: to the kernel a timeout of zero means no end at all.
func (e *Engine) elementEnd(key grantKey) time.Time {
	if end := e.grants.element(key); end.After(wire.Time(e.now)) {
		return end
	}
	return time.Time{}
}

// restoreElementsWithin gives the grants inside a network their elements back when the last
// grant to that network has ended.
func (e *Engine) restoreElementsWithin(wide *grant) {
	if !wide.isNetwork() || !e.grants.latest(wide.key).IsZero() {
		return
	}
	changed := map[grantKey]bool{}
	for _, g := range e.grants.within(wide.Source, wide.Port) {
		if !changed[g.key] && !e.elementEnd(g.key).IsZero() {
			changed[g.key] = true
			e.updateElement(g)
		}
	}
}
