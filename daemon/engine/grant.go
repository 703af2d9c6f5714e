package engine

import (
	"sesame/daemon/wire"
)

// This file makes, extends and ends grants.

// addOrExtendGrant makes a grant, or extends the one that the door already gave the knocker: to
// the later of both ends. It requests the record before any effect that depends on it. It also
// returns the term that the grant had, zero for a new one.
func (e *Engine) addOrExtendGrant(c cause, wanted Grant) (*grant, term) {
	next := e.termOf(wanted.TTL, wanted.WindowEnd)
	g := e.grants.find(keyOf(&wanted), c.name, c.source)
	var was term
	if g != nil {
		if was = g.term(); was.end.After(next.end) {
			next = was
		}
		e.grants.setTerm(g, next)
		g.Cut = wanted.Cut
		e.moveTimer(&g.timer, wire.Nanoseconds(next.end))
	} else {
		wanted.ID, wanted.Door, wanted.By = e.grants.lastID+1, c.name, c.source
		wanted.setTerm(next)
		g = e.insertGrant(wanted, wire.Nanoseconds(next.end))
	}
	e.totals.of(c.name).given++
	g.TTL = max(0, next.end.Sub(wire.Time(e.now))) // below zero only with an offset from a stranger's file
	e.persist(Record{Grant: &g.Grant})
	return g, was
}

// insertGrant makes a Grant live until due.
func (e *Engine) insertGrant(wanted Grant, due int64) *grant {
	g := &grant{Grant: wanted}
	e.grants.insert(g)
	e.countGrants(g.Door, 1)
	g.timer = timer{door: e.index.order(g.Door), source: g.Source.Addr(), kind: grantTimer, grant: g, index: -1}
	e.setTimer(&g.timer, due)
	return g
}

// endGrant ends a grant. If it was the last with its key, its undo runs. The handler of the
// close is called later, by runCloseHandlers.
func (e *Engine) endGrant(g *grant, reason Reason, depth int) {
	e.explanation.grantEnded(g)
	e.cancelTimer(&g.timer)
	e.grants.remove(g)
	e.countGrants(g.Door, -1)
	e.emit(Event{
		Kind: EventClose, Door: g.Door, Source: g.Source,
		Grant: g.ID, Port: g.Port, Reason: reason, Until: e.elementEnd(g.key), Observed: g.Observed,
		Cut: e.cuts(g, reason),
	})
	if g.Undo != nil && e.grants.latest(g.key).IsZero() {
		e.undo(g)
	} else {
		e.persist(Record{Grant: &g.Grant, Ended: true})
	}
	e.restoreElementsWithin(g)
	if d := e.index.door(g.Door); d != nil && d.Hooks&HookClose != 0 {
		e.pendingCloses = append(e.pendingCloses, pendingClose{g, reason, depth})
	}
}

// undo requests the undo of the command of a grant.
func (e *Engine) undo(g *grant) {
	e.addEffect(&batch{}, Event{
		Kind: EventEffect, Effect: EffectUndo, Door: g.Door, Source: g.Source,
		Grant: g.ID, Argv: g.Undo, Timeout: g.Timeout, AnyStatus: g.AnyStatus, Shared: g.Shared,
	}, g, term{})
}
