package engine

import (
	"time"

	"sesame/daemon/wire"
)

// updateElement asks for the kernel's element of a grant to be as it must be now,
// while the grant itself stays as it was.
func (e *Engine) updateElement(g *grant) {
	e.addEffect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectElement, Door: g.Door, Source: g.Source,
		Grant: g.ID, Port: g.Port, Until: e.elementEnd(g.key),
	}, nil, time.Time{})
}

// elementEnd returns the end that an element must have, zero for none. One that
// would end now is none: to the kernel no time left means no end at all.
func (e *Engine) elementEnd(key grantKey) time.Time {
	if end := e.grants.element(key); end.After(wire.Time(e.now)) {
		return end
	}
	return time.Time{}
}

// restoreElementsWithin gives the grants inside a network that has ended their elements
// back.
func (e *Engine) restoreElementsWithin(wide *grant) {
	if !wide.isNetwork() || !e.grants.latest(wide.key).IsZero() {
		return
	}
	told := map[grantKey]bool{}
	for _, g := range e.grants.within(wide.Source, wide.Port) {
		if !told[g.key] && !e.elementEnd(g.key).IsZero() {
			told[g.key] = true
			e.updateElement(g)
		}
	}
}
