package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// Packet takes a decoded packet: timers due at or before p.Time fire first. A
// stamp earlier than the engine's time is clamped to it, and counted.
func (e *Engine) Packet(p *packet.Packet) []Event {
	if p.Time.UnixNano() < e.now {
		e.counts.Clamped++
	}
	e.beginInput(p.Time)
	e.counts.Packets++
	e.packet = p
	here := e.index.ports[p.Port]
	if drop := e.classify(p, here); drop != packet.Kept {
		e.counts.Dropped[drop]++
	} else {
		e.match(p, here)
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

// Swap replaces the doors between two packets. An attempt lives on when its
// door's sequence and limits are unchanged, else it ends as a Reloaded miss.
// Grants, limits, stored values and the memory of retransmits always live on. A
// one-time sequence that was used and is not marked yet stays used: see
// [Engine.OneTimeChanges].
func (e *Engine) Swap(now time.Time, set *Set) []Event {
	e.beginInput(now)
	next := indexAtUnused(set, e.index, e.unusedOf(set))
	e.endRuns(Reloaded, func(d *door) bool { return next.byID[d.id] == nil })
	e.runCloseHandlers()
	e.index = next
	e.reorderTimers()
	return e.events
}

// Result says that the effect with this ID was carried out, or why it was not.
// After a failure the runner leaves out the effects of the same reply that
// follow it; the engine takes back those that came before.
func (e *Engine) Result(now time.Time, id uint64, err error) []Event {
	e.beginInput(now)
	e.handleResult(id, err)
	e.runCloseHandlers()
	return e.events
}

// Grant gives a person's grant of a port. What makes no sense, or is more than
// the engine holds, is refused.
func (e *Engine) Grant(now time.Time, source netip.Prefix, port packet.Port, ttl time.Duration) []Event {
	e.beginInput(now)
	detail := ""
	switch {
	case !source.IsValid() || ttl <= 0 || port.Number == 0:
		detail = "expected a source, a port, and a time above zero"
	case e.grants.count() >= e.cfg.Grants || e.batches.pending() >= e.cfg.Grants:
		detail = "too many grants are live, or effects unanswered"
	default:
		e.allow(cause{}, &batch{}, source.Masked(), port, ttl)
		e.runCloseHandlers()
		return e.events
	}
	e.counts.Refusals++
	e.emit(Event{Kind: EventRefuse, Source: source, Port: port, Reason: NotGranted, Detail: detail})
	return e.events
}

// Revoke ends the grants whose source overlaps this one; on all ports, commands
// too, when port is zero.
func (e *Engine) Revoke(now time.Time, source netip.Prefix, port packet.Port) []Event {
	e.beginInput(now)
	for _, g := range e.grants.overlapping(source) {
		if port == (packet.Port{}) || g.Port == port {
			e.endGrant(g, Revoked, 0)
		}
	}
	e.runCloseHandlers()
	return e.events
}

// Restore takes back grants, stored values and one-time sequences that outlived a
// restart, beyond all bounds. Grants whose end has come are closed, and their
// undo is run. One that ended already only tells that its id was given. A
// sequence that was used is marked now. It does not matter whether the doors come
// before or after it.
func (e *Engine) Restore(now time.Time, records []Record) []Event {
	e.beginInput(now)
	for _, r := range records {
		e.restoreRecord(r)
	}
	e.nextSequences(netip.Prefix{})
	e.runCloseHandlers()
	e.fireTimers(e.now)
	return e.events
}

// Local says which addresses are this host's; nil: every one.
func (e *Engine) Local(now time.Time, addresses []netip.Prefix) []Event {
	e.beginInput(now)
	e.local = newLocals(addresses)
	return e.events
}

// Step says how far the wall clock is from engine time: wall = engine + offset.
// Only what scripts see as time of day changes; no duration does.
func (e *Engine) Step(now time.Time, offset time.Duration) []Event {
	e.beginInput(now)
	e.offset = offset
	return e.events
}

// End says that no packet follows: attempts end at once, as EndOfCapture
// misses, and script timers due after until are dropped. Grants run on: the
// caller goes on with Tick until Next says that nothing is left.
func (e *Engine) End(now, until time.Time) []Event {
	e.beginInput(now)
	e.endRuns(EndOfCapture, func(*door) bool { return true })
	for e.dropOldest(func(int32, *door) bool { return true }) {
	}
	e.runCloseHandlers()
	e.horizon = wire.Nanoseconds(until)
	e.dropDelayed()
	return e.events
}

// Shutdown runs the undos that only a daemon can run. Grants of ports stay: the
// kernel ends them.
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
// First-stage attempts have none: nothing is told when they expire, so they are
// found expired when somebody asks for them, and a flood of first knocks wakes
// nobody up.
func (e *Engine) Next() (time.Time, bool) {
	if len(e.timers) == 0 {
		return time.Time{}, false
	}
	return wire.Time(e.timers[0].due), true
}

// beginInput starts an input: it fires the timers due until then, and moves time.
func (e *Engine) beginInput(now time.Time) {
	if e.events = e.events[:0]; cap(e.events) > 4*maxEvents {
		e.events = nil
	}
	until := max(now.UnixNano(), e.now)
	e.fireTimers(until)
	e.now = until
}

// restoreRecord makes a grant live again, also beyond the bound: what was given must
// end, and what is owed be undone. Restart or not, it ends when it was to end.
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
