package engine

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// This file gives, prolongs and ends grants.

// allow gives access to one port, or prolongs it where the same door gave it
// to the same knocker before: the end moves to now + ttl, never earlier.
func (e *Engine) allow(c cause, b *batch, source netip.Prefix, port packet.Port, ttl time.Duration) {
	g, was := e.addOrExtendGrant(c, Grant{Source: source, Port: port, TTL: ttl, Observed: c.observes()})
	if g.isNetwork() {
		e.replaceWithin(g)
	}
	e.addEffect(b, Event{
		Kind: EventEffect, Effect: EffectAllow, Door: c.name, Source: source,
		Grant: g.ID, Port: port, TTL: g.TTL, Until: e.elementEnd(g.key),
	}, g, was)
}

// exec runs a command. One with an undo is a grant, and does not run again
// while it is owed its undo. What ran before a restart may be gone, as after a power
// cut: its undo comes first, and then it runs again.
func (e *Engine) exec(c cause, b *batch, op Exec) {
	event := Event{
		Kind: EventEffect, Effect: EffectExec, Door: c.name, Source: single(c.source),
		Argv: op.Argv, Timeout: op.Timeout, AnyStatus: op.AnyStatus, Observed: c.observes(),
	}
	if op.Undo == nil {
		e.addEffect(b, event, nil, time.Time{})
		return
	}
	wanted := e.commandGrant(c, op)
	key := keyOf(&wanted)
	if sharing := e.grants.byKey[key]; len(sharing) > 0 && sharing[0].run == 0 {
		for _, g := range slices.Clone(sharing) {
			e.endGrant(g, Replaced, c.depth)
		}
	}
	run := e.effects + 1
	if sharing := e.grants.byKey[key]; len(sharing) > 0 {
		event.Argv, run = nil, sharing[0].run
	}
	g, was := e.addOrExtendGrant(c, wanted)
	g.run = run
	event.Grant, event.TTL, event.Until = g.ID, g.TTL, e.elementEnd(g.key)
	e.addEffect(b, event, g, was)
}

func (e *Engine) commandGrant(c cause, op Exec) Grant {
	return Grant{
		Source: single(c.source), Argv: op.Argv, Undo: op.Undo, Timeout: op.Timeout, AnyStatus: op.AnyStatus,
		TTL: op.TTL, Observed: c.observes(),
	}
}

// addOrExtendGrant makes or prolongs a grant, and asks that it be remembered before
// anything hangs on it. It also returns the end that it had, zero for a new one.
func (e *Engine) addOrExtendGrant(c cause, wanted Grant) (*grant, time.Time) {
	end := after(e.now, wanted.TTL)
	g := e.grants.find(keyOf(&wanted), c.name, c.source)
	var was time.Time
	if g != nil {
		was = g.End
		end = max(end, g.timer.due)
		g.End, g.TTL = at(end), time.Duration(end-e.now)
		e.moveTimer(&g.timer, end)
	} else {
		wanted.ID, wanted.Door, wanted.By, wanted.End = e.grants.lastID+1, c.name, c.source, at(end)
		g = e.insertGrant(wanted, end)
	}
	e.persist(Record{Grant: &g.Grant})
	return g, was
}

// insertGrant makes a Grant live until due.
func (e *Engine) insertGrant(wanted Grant, due int64) *grant {
	g := &grant{Grant: wanted}
	e.grants.insert(g)
	g.timer = timer{door: e.index.order(g.Door), source: g.Source.Addr(), kind: grantTimer, grant: g, index: -1}
	e.setTimer(&g.timer, due)
	return g
}

// restore makes a grant live again, also beyond the bound: what was given must
// end, and what is owed be undone. Restart or not, it ends when it was to end.
func (e *Engine) restore(r Record) {
	switch g := r.Grant; {
	case r.Store != nil:
		e.store.put(r.Script, r.Source, *r.Store)
	case r.Consumed != nil && !r.Ended:
		e.restoreConsumed(*r.Consumed)
	case g == nil || g.Argv == nil && !r.Ended && !g.Source.IsValid():
	case r.Ended:
		e.grants.lastID = max(e.grants.lastID, g.ID)
	case e.grants.byID[g.ID] == nil:
		e.insertGrant(*g, nanoseconds(g.End))
	}
}

// replaceWithin makes room for a network: the kernel refuses elements that
// overlap. Grants inside it that end no later are closed; the others stand
// back, without an element of their own, until the network's end.
func (e *Engine) replaceWithin(wide *grant) {
	told := map[grantKey]bool{}
	for _, g := range e.grants.within(wide.Source, wide.Port) {
		switch {
		case !g.End.After(wide.End):
			e.endGrant(g, Replaced, 0)
		case !told[g.key]:
			told[g.key] = true
			e.updateElement(g)
		}
	}
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
	if end := e.grants.element(key); end.After(at(e.now)) {
		return end
	}
	return time.Time{}
}

// endGrant ends a grant. Its undo runs when it was the last on its key.
func (e *Engine) endGrant(g *grant, reason Reason, depth int) {
	e.cancelTimer(&g.timer)
	e.grants.remove(g)
	e.emit(Event{
		Kind: EventClose, Door: g.Door, Source: g.Source,
		Grant: g.ID, Port: g.Port, Reason: reason, Until: e.elementEnd(g.key), Observed: g.Observed,
	})
	if g.Undo != nil && e.grants.latest(g.key).IsZero() {
		e.addEffect(&batch{}, Event{
			Kind: EventEffect, Effect: EffectUndo, Door: g.Door, Source: g.Source,
			Grant: g.ID, Argv: g.Undo, Timeout: g.Timeout, AnyStatus: g.AnyStatus,
		}, g, time.Time{})
	} else {
		e.persist(Record{Grant: &g.Grant, Ended: true})
	}
	e.restoreElementsWithin(g)
	if d := e.index.door(g.Door); d != nil && d.Hooks&HookClose != 0 {
		e.closings = append(e.closings, closing{g, reason, depth})
	}
}

// persist asks that a record survive a restart, unless it is of something that is
// only observed. It copies a grant, which goes on changing.
func (e *Engine) persist(r Record) {
	if r.Grant != nil {
		if r.Grant.Observed {
			return
		}
		g := *r.Grant
		r.Grant = &g
	}
	e.emit(Event{Kind: EventEffect, Effect: EffectPersist, Persist: &r})
}

// A closing is an on_close call that waits for the present reply to be done.
type closing struct {
	grant  *grant
	reason Reason
	depth  int
}

// maxDepth is how far operations on other doors may lead: a door's close may
// close another's, and so on.
const maxDepth = 8

// runCloseHandlers calls the on_close functions that are waiting, first in, first out.
func (e *Engine) runCloseHandlers() {
	for i := 0; i < len(e.closings); i++ {
		next := e.closings[i]
		d := e.index.door(next.grant.Door)
		c := causeOf(CallClose, d.Door, next.grant.By)
		c.depth, c.observed = next.depth+1, next.grant.Observed
		if c.depth > maxDepth {
			e.fault(c, &Fault{Script: c.script, Line: d.Line, Detail: "doors close each other more than 8 deep"})
			continue
		}
		m := e.callFor(c)
		m.Grant, m.Reason = &next.grant.Grant, next.reason
		e.runHandler(c, d.Handler, m)
	}
	clear(e.closings)
	e.closings = e.closings[:0]
}
