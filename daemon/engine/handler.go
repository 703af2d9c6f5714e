package engine

import "sesame/daemon/wire"

// This file calls handlers and carries out what they decide.

// callFor returns the call of c, for the caller to complete. It is the same value each time, so
// a packet costs no allocation.
func (e *Engine) callFor(c cause) *Call {
	e.serial++
	e.call = Call{
		Kind: c.kind, Door: c.door, Source: c.source, Script: c.script, Owner: c.owner,
		Packet: e.packet, Time: wire.Time(e.now), Wall: e.wall(), ClockDoubt: e.clockDoubt, Store: e.store, Facts: &e.questions,
		Seed: mix(e.cfg.Seed + e.serial), engine: e, observes: c.observes(),
	}
	if c.door != nil {
		e.call.Stages = len(c.door.Sequence)
		e.call.Stage = e.call.Stages
	}
	return &e.call
}

// mix spreads a counter over 64 bits (the finalizer of SplitMix64: Steele, Lea and Flood,
// 2014).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// callHandler calls a handler. False: it failed, or it refused a knock, and that was dealt
// with.
func (e *Engine) callHandler(c cause, h Handler, call *Call) (Decision, bool) {
	if !e.admitScript(c) {
		return Decision{}, false
	}
	decision, err := h.Handle(call)
	e.chargeScript(c)
	e.steps.charge(c.door, e.now)
	if e.packet != nil {
		e.test(TestFunction, c.door, err == nil && !decision.Refused)
	}
	switch {
	case err != nil:
		e.fault(c, err)
		return Decision{}, false
	case decision.Refused && c.refusable():
		e.refuseWith(c, decision)
		return Decision{}, false
	}
	return decision, true
}

// refuseWith refuses a knock, and does what the script wants beside: count, log, run a command.
// A refusal that gives access is a fault.
func (e *Engine) refuseWith(c cause, decision Decision) {
	for _, o := range decision.Operations {
		if o.impact() == gives {
			e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: "the function allowed and then refused"})
			return
		}
	}
	if e.check(c, decision.Operations) {
		e.succeeded(c)
		e.refuse(c.name, c.source, decision.Verdict, true)
		e.apply(c, decision.Operations)
	}
}

// runHandler calls a handler and carries out its decision. False: it failed or refused, and no
// access was given.
func (e *Engine) runHandler(c cause, h Handler, call *Call) bool {
	decision, agreed := e.callHandler(c, h, call)
	if !agreed || !e.check(c, decision.Operations) {
		return false
	}
	e.succeeded(c)
	e.apply(c, decision.Operations)
	return true
}

// maxDepth bounds how far closes may lead: the handler of a close may close the grants of
// another door, and so on.
const maxDepth = 8

// runCloseHandlers calls the handlers of the pending closes, first in, first out. These may add
// further ones.
func (e *Engine) runCloseHandlers() {
	for i := 0; i < len(e.pendingCloses); i++ {
		next := e.pendingCloses[i]
		d := e.index.door(next.grant.Door)
		c := causeOf(CallClose, d.Door, next.grant.holder())
		c.depth, c.observed = next.depth+1, next.grant.Observed
		if c.depth > maxDepth {
			e.fault(c, &Fault{Script: c.script, Line: d.Line, Detail: "doors close each other more than 8 deep"})
			continue
		}
		call := e.callFor(c)
		call.Grant, call.Reason = &next.grant.Grant, next.reason
		e.runHandler(c, d.Handler, call)
	}
	clear(e.pendingCloses)
	e.pendingCloses = e.pendingCloses[:0]
}
