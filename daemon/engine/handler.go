package engine

import "sesame/daemon/wire"

// callFor returns the moment of c, for the caller to complete. It is reused.
func (e *Engine) callFor(c cause) *Call {
	e.serial++
	e.call = Call{
		Kind: c.kind, Door: c.door, Source: c.source, Script: c.script,
		Packet: e.packet, Time: wire.Time(e.now), Wall: wire.Time(e.now).Add(e.offset), Store: e.store,
		Seed: mix(e.cfg.Seed + e.serial),
	}
	if c.door != nil {
		e.call.Stages = len(c.door.Sequence)
		e.call.Stage = e.call.Stages
	}
	return &e.call
}

// mix spreads a counter over 64 bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// callHandler puts a moment to a script, and tells when it fails or says no.
func (e *Engine) callHandler(c cause, h Handler, m *Call) (Decision, bool) {
	reply, err := h.Handle(m)
	switch {
	case err != nil:
		e.fault(c, err)
		return Decision{}, false
	case reply.Refused && c.refusable():
		e.refuseWith(c, reply)
		return Decision{}, false
	}
	return reply, true
}

// refuseWith refuses, and does what the script wants done beside: count, log, run a
// command. Giving access while refusing it is a fault.
func (e *Engine) refuseWith(c cause, reply Decision) {
	for _, o := range reply.Operations {
		if o.impact() == gives {
			e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: "the function allowed and then refused"})
			return
		}
	}
	if e.check(c, reply.Operations) {
		e.refuse(c.name, c.source, When, reply.Detail, true)
		e.apply(c, reply.Operations)
	}
}

// runHandler puts a moment to a script and carries out what it wants. False: it
// failed or said no, and nothing was done.
func (e *Engine) runHandler(c cause, h Handler, m *Call) bool {
	reply, agreed := e.callHandler(c, h, m)
	if !agreed || !e.check(c, reply.Operations) {
		return false
	}
	e.apply(c, reply.Operations)
	return true
}

// maxDepth is how far operations on other doors may lead: a door's close may
// close another's, and so on.
const maxDepth = 8

// runCloseHandlers calls the on_close functions that are waiting, first in, first out.
func (e *Engine) runCloseHandlers() {
	for i := 0; i < len(e.pendingCloses); i++ {
		next := e.pendingCloses[i]
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
	clear(e.pendingCloses)
	e.pendingCloses = e.pendingCloses[:0]
}
