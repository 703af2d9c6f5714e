package engine

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/wire"
)

// emit adds an event, at the present time and of the packet at hand.
func (e *Engine) emit(event Event) {
	event.Time = wire.Time(e.now)
	if e.packet != nil {
		event.Packet, event.Capture = e.packet.Number, e.packet.Capture
	}
	e.events = append(e.events, event)
}

func (e *Engine) refuse(door string, source netip.Addr, reason Reason, detail string, told bool) {
	e.counts.Refusals++
	if told {
		e.emit(Event{Kind: EventRefuse, Door: door, Source: single(source), Reason: reason, Detail: detail})
	}
}

// fault tells that a script failed. The knock at hand, if any, is refused.
func (e *Engine) fault(c cause, err error) {
	e.counts.Errors++
	event := Event{Kind: EventError, Door: c.name, Source: single(c.source), Script: c.script, Detail: err.Error()}
	if c.door != nil {
		event.Line = c.door.Line
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		event.Script, event.Line, event.Detail = f.Script, f.Line, f.Detail
	}
	e.emit(event)
	if c.refusable() {
		e.refuse(c.name, c.source, ScriptError, "", true)
	}
}

// addEffect emits an effect of a batch. One that changes nothing is not awaited: a
// command that runs already, a network that a wider one covers.
func (e *Engine) addEffect(b *batch, event Event, g *grant, was time.Time) {
	x := entry{grant: g, was: was}
	if g != nil {
		x.end, event.Observed = g.End, g.Observed
	}
	row := event.Effect.row()
	if row.awaited != nil && row.awaited(&event) {
		e.effects++
		event.ID = e.effects
		e.batches.byID[event.ID] = position{b, len(b.entries)}
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
