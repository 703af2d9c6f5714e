package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file has the inputs of an engine. Each begins with beginInput and ends with the handlers
// of the closes that it caused.

// Packet takes a decoded packet. Timers due at or before p.Time fire first. A stamp earlier
// than the engine's time is replaced by that, and counted.
func (e *Engine) Packet(p *packet.Packet) []Event {
	if p.Time.UnixNano() < e.now {
		e.counts.Clamped++
	}
	e.beginInput(p.Time)
	e.counts.Packets++
	e.packet = p
	e.explanation.begins()
	here := e.index.ports[p.Port]
	if drop := e.classify(p, here); drop != packet.NotDropped {
		e.counts.Dropped[drop]++
		e.explanation.dropped(p, drop)
	} else {
		e.match(p, here)
		e.explanation.matched(p)
		e.nextSequences(single(p.Source))
		e.runCloseHandlers()
	}
	e.packet = nil
	return e.events
}

// Tick fires the timers due at or before now.
func (e *Engine) Tick(now time.Time) []Event {
	e.beginInput(now)
	return e.events
}

// Swap replaces the doors between two packets. An attempt lives on when its door has the same
// sequence and the same limits, else it ends as a miss with the reason [Reloaded]. Grants,
// limits, stored values and the memory of retransmits always live on. A one-time sequence that
// was consumed stays consumed: see [Engine.OneTimeChanges]. A script that has got a name has what
// was kept under its path.
func (e *Engine) Swap(now time.Time, set *Set) []Event {
	e.beginInput(now)
	next := indexAtUnused(set, e.index, e.unusedOf(set))
	e.endRuns(Reloaded, func(d *door) bool { return next.byID[d.id] == nil })
	e.runCloseHandlers()
	e.install(next, set)
	e.forgetCompletions()
	e.forgetGone()
	e.limits.forgetWhole(e.now)
	e.steps.forget(next, e.now)
	e.steps.share(next)
	e.forgetLimiting()
	e.reorderTimers()
	e.adopt()
	return e.events
}

// Result takes the result of the effect with this ID: nil, or why it was not carried out. After
// a failure the runner must leave out the later effects of the same decision. The engine takes
// back the earlier ones.
func (e *Engine) Result(now time.Time, id uint64, err error) []Event {
	e.beginInput(now)
	e.handleResult(id, err)
	e.runCloseHandlers()
	return e.events
}

// Grant gives a person's grant of a port. A request that makes no sense, or exceeds the bounds,
// is refused.
func (e *Engine) Grant(now time.Time, source netip.Prefix, port packet.Port, ttl time.Duration) []Event {
	e.beginInput(now)
	detail := ""
	switch {
	case !source.IsValid() || ttl <= 0 || port.Number == 0:
		detail = "expected a source, a port, and a time above zero"
	case e.grants.count() >= e.cfg.Grants || e.batches.pending() >= e.cfg.Grants:
		detail = "too many grants are live, or effects unanswered"
	default:
		e.allow(cause{}, &batch{}, Grant{Source: source.Masked(), Port: port, TTL: ttl})
		e.runCloseHandlers()
		return e.events
	}
	e.counts.Refusals++
	e.emit(Event{Kind: EventRefuse, Source: source, Port: port, Reason: NotGranted, Detail: detail})
	return e.events
}

// Revoke ends the grants whose source overlaps this one. If port is zero, it ends those of all
// ports, and of commands. With cut it also ends the sessions of the source: those that the grants
// let in, and those to each guarded port that grants let in before.
func (e *Engine) Revoke(now time.Time, source netip.Prefix, port packet.Port, cut bool) []Event {
	e.beginInput(now)
	for _, g := range e.grants.overlapping(source) {
		if port == (packet.Port{}) || g.Port == port {
			g.Cut = g.Cut || cut
			e.endGrant(g, Revoked, 0)
		}
	}
	if cut {
		e.cutSessions(source, port)
	}
	e.runCloseHandlers()
	return e.events
}

// Restore takes back grants, stored values and one-time sequences that outlived a restart. It
// ignores all bounds: an access that was given must end, and a pending undo must run. A grant
// whose end has come is closed at once. A record that has ended only keeps its id from being
// given again. A sequence that was consumed is commented out now. It may be called before the
// doors are there or after.
func (e *Engine) Restore(now time.Time, records []Record) []Event {
	e.beginInput(now)
	for _, r := range records {
		e.restoreRecord(r)
	}
	e.adopt()
	e.nextSequences(netip.Prefix{})
	e.runCloseHandlers()
	e.fireTimers(e.now)
	return e.events
}

// Local sets the addresses of this host. Nil means that every address is one.
func (e *Engine) Local(now time.Time, addresses []netip.Prefix) []Event {
	e.beginInput(now)
	e.local = newLocals(addresses)
	return e.events
}

// Own sets the addresses that no packet from outside can have as its source: those of this host's
// interfaces, and the broadcast addresses of its networks. Such a packet is [packet.Malformed],
// unless it came over the loopback interface. Nil means that they are not known. It is a part of
// the next input: call it before [Engine.Local].
func (e *Engine) Own(addresses []netip.Prefix) { e.own = newLocals(addresses) }

// Step sets how far the wall clock is from engine time: wall = engine + offset. Only the time
// of day that scripts see changes, and no duration does. Grants that end with a window end when
// the wall clock shows its end.
func (e *Engine) Step(now time.Time, offset time.Duration) []Event {
	e.beginInput(now)
	e.offset = offset
	e.moveWindowEnds()
	e.runCloseHandlers()
	return e.events
}

// Clock sets whether the time of day that the wall clock shows is in doubt: whoever gives the
// inputs knows that the clock is not synchronised. Then windows are unknown, and nothing is given
// that ends with a window. What was given before goes on.
func (e *Engine) Clock(now time.Time, doubt bool) []Event {
	e.beginInput(now)
	e.clockDoubt = doubt
	return e.events
}

// End means that no packet follows. Attempts end at once, as misses with the reason
// [EndOfCapture], and script timers due after until are dropped. Grants continue: the caller calls
// Tick until Next means that no timer is left.
func (e *Engine) End(now, until time.Time) []Event {
	e.beginInput(now)
	e.endRuns(EndOfCapture, func(*door) bool { return true })
	for e.dropOldest(func(int32, *door) bool { return true }, NoWhy) {
	}
	e.runCloseHandlers()
	e.horizon = wire.Nanoseconds(until)
	e.dropDelayed()
	return e.events
}

// Shutdown ends the grants that have an undo, which only a running daemon can run. Grants of
// ports stay: the kernel ends them.
func (e *Engine) Shutdown(now time.Time) []Event {
	e.beginInput(now)
	for _, g := range e.grants.all() {
		if g.Undo != nil {
			e.endGrant(g, ShutDown, 0)
		}
	}
	e.runCloseHandlers()
	return e.events
}

// Next returns when the next timer is due. False: none is.
//
// First-stage attempts have no timer. Their end has no event, so they are removed when the
// engine next looks for them. A flood of first knocks sets no timer.
func (e *Engine) Next() (time.Time, bool) {
	if len(e.timers) == 0 {
		return time.Time{}, false
	}
	return wire.Time(e.timers[0].due), true
}

// maxKept is how many events the memory that inputs reuse has room for: with all that they point
// to, they stay until the next input.
const maxKept = 1 << 12

// beginInput starts an input: it fires the timers due until now, and moves the engine's time
// there. It gives back the memory of an input with many events.
func (e *Engine) beginInput(now time.Time) {
	if e.events = e.events[:0]; cap(e.events) > maxKept {
		e.events = nil
	}
	e.questions.forget()
	e.timeouts.begin()
	until := max(now.UnixNano(), e.now)
	e.steps.input = until
	e.fireTimers(until)
	e.now = until
}

// restoreRecord takes back one record. See [Engine.Restore].
func (e *Engine) restoreRecord(r Record) {
	switch g := r.Grant; {
	case r.Store != nil:
		e.store.put(r.Script, r.Source, *r.Store)
	case r.Consumed != nil && !r.Ended:
		e.restoreConsumed(*r.Consumed)
	case g == nil || g.Argv == nil && !r.Ended && !g.Source.IsValid():
	case r.Ended:
		e.grants.lastID = max(e.grants.lastID, g.ID)
	case e.grants.byID[g.ID] == nil:
		e.insertGrant(*g, wire.Nanoseconds(g.End))
	}
}
