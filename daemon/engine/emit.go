package engine

import (
	"errors"
	"net/netip"

	"sesame/daemon/wire"
)

// This file makes events. All of them leave through emit.

// emit adds an event, with the present time and the number of the packet at hand, if any.
func (e *Engine) emit(event Event) {
	event.Time = wire.Time(e.now)
	if e.packet != nil {
		event.Packet, event.Capture = e.packet.Number, e.packet.Capture
	}
	e.events = append(e.events, event)
}

// refuse counts a refusal. If report is false it has no event.
func (e *Engine) refuse(door string, source netip.Addr, v Verdict, report bool) {
	e.counts.Refusals++
	e.countRefusal(door, v.refusal())
	e.explanation.refused(&v)
	if report {
		e.emit(Event{
			Kind: EventRefuse, Door: door, Source: single(source),
			Reason: v.refusal(), Detail: v.Detail, Condition: v.Condition, Fields: v.Fields,
		})
	}
}

// fault reports that a script failed. If a knock is at hand, it is refused.
func (e *Engine) fault(c cause, err error) {
	e.counts.Errors++
	e.totals.of(c.name).errors++
	event, refused := Event{Kind: EventError, Door: c.name, Source: single(c.source), Script: c.script, Detail: err.Error()}, ScriptError
	if c.door != nil {
		event.Line = c.door.Line
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		event.Script, event.Line, event.Detail = f.Script, f.Line, f.Detail
		if f.Timeout {
			event.Reason, refused = ScriptTimeout, ScriptTimeout
		}
	}
	e.emit(event)
	e.failed(c, Fault{Script: event.Script, Line: event.Line, Detail: event.Detail})
	if c.refusable() {
		e.refuse(c.name, c.source, Verdict{Reason: refused}, true)
	}
}

// addEffect emits an effect of a batch. The row of the effect decides whether a result is
// awaited and whether it belongs to the decision. g is the grant that it is for, or nil; was is
// the term that g had, zero for a new grant.
func (e *Engine) addEffect(b *batch, event Event, g *grant, was term) {
	x := entry{grant: g, was: was}
	if g != nil {
		x.end, event.Observed = g.End, g.Observed
	}
	row := event.Effect.row()
	if row.awaited != nil && row.awaited(&event) {
		e.effects++
		event.ID = e.effects
		e.batches.await(event, position{b, len(b.entries)})
		if b.first == 0 {
			b.first = event.ID
		}
	}
	if row.decision {
		event.Decision = b.first
	}
	if event.ID != 0 || g != nil {
		x.event = event
		b.entries = append(b.entries, x)
	}
	e.emit(event)
}

// persist requests a record that survives a restart, unless it is of a grant that is only
// observed. It copies the grant, because the grant changes later.
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
