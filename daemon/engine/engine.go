// Package engine turns packets and the passage of time into events.
//
// An engine holds everything that Sesame knows while it runs: attempts in
// progress, grants, limits, what scripts stored. It decides and does nothing
// else. It does no I/O, starts no goroutine, reads no clock and knows no Lua;
// time is an argument of every input, and whatever shall happen to the world
// comes out as an event. That is why a capture replayed offline and a live
// interface are decided by the same code with the same result.
//
// Read set.go for what a door is, event.go for what comes out, call.go for
// how scripts take part; then match.go, complete.go and grant.go, which are a
// knock's way from a packet to a grant. For knockd's rules read group.go, and
// onetime.go for sequences that are used once.
package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// Config bounds an engine. Zero fields mean the defaults.
type Config struct {
	// Attempts is how many attempts may be in progress. At the bound the oldest
	// first-stage attempt makes room, so an honest knock survives a flood of
	// spoofed ones while the flood's rate times the honest gap between two
	// knocks is below it. The default, 1,048,576, withstands a million packets
	// a second for a gap of one second. A first-stage attempt takes about 75
	// bytes; a later one several times that, but needs a second right knock.
	Attempts int
	// Grants is how many grants may be live; a door refuses beyond it. The
	// default is 65,536. Stored values, limits, delayed work and effects that
	// were not yet answered have the same bound, each.
	Grants int
	// Seed decides the randomness that scripts see.
	Seed uint64
}

// An Engine holds attempts, grants and what scripts store, and decides.
//
// The methods that return events are its inputs, and there are no others: the
// same inputs in the same order give the same events. Each returns the events
// that it caused, in order; the slice is the engine's, valid until the next
// input. An Engine is not safe for concurrent use: one goroutine owns it.
type Engine struct {
	cfg     Config
	now     int64         // engine time, Unix nanoseconds; never goes back
	offset  time.Duration // wall clock less engine time
	horizon int64         // script timers due later are dropped
	index   *index
	local   *locals // nil: every address is ours

	attempts *table
	secret   secret  // of the hashes in both memories
	segments *recent // TCP segments seen, to know retransmits
	flows    *recent // UDP flows that this host began, for strict doors
	timers   timers
	delayed  int // script timers among them
	grants   *grants
	limits   *limits
	store    *Store
	batches  *batches
	effects  uint64    // ids given to them
	closings []closing // on_close calls that wait, first in first out
	oneTime  consumptions

	packet   *packet.Packet // at hand; nil while a timer fires
	ours     bool           // it is for an address of this host
	offered  []*door        // those that it concerns
	gathered []*groupPort   // and groups
	begins   []*door        // of a group, with it
	found    []progress     // of its source in a group
	call     Call
	serial   uint64 // of moments and timers
	events   []Event
	counts   Counts
}

// Counts are totals since the engine was made.
type Counts struct {
	Packets  int // given to Packet
	Knocks   int // that a door or a listener listens to, whatever came of it
	Opens    int
	Misses   int               // with those of the first stage, which no event tells
	Refusals int               // with all that were over a limit, of which one event tells of each run
	Errors   int               // faults of scripts
	Clamped  int               // packets stamped earlier than their predecessor
	Dropped  [packet.Drops]int // by this engine: NotLocal, NotWatched, Retransmit
}

// New returns an engine without doors, to which every address is local. Its
// time begins at start.
func New(cfg Config, start time.Time) *Engine {
	if cfg.Attempts <= 0 {
		cfg.Attempts = 1 << 20
	}
	if cfg.Grants <= 0 {
		cfg.Grants = 1 << 16
	}
	return &Engine{
		cfg:      cfg,
		now:      start.UnixNano(),
		horizon:  forever,
		index:    newIndex(&Set{}, nil),
		attempts: newTable(cfg.Attempts),
		secret:   newSecret(),
		segments: newRecent(maxSegments),
		flows:    newRecent(maxFlows),
		grants:   newGrants(),
		limits:   newLimits(cfg.Grants),
		store:    newStore(cfg.Grants),
		batches:  newBatches(),
		oneTime:  newConsumptions(),
	}
}

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
	e.result(id, err)
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
		e.restore(r)
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
	e.horizon = nanoseconds(until)
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
	return at(e.timers[0].due), true
}

// Counts returns what was counted so far. Between the expiry of a first-stage
// attempt and the next look at it, its miss is not yet in.
func (e *Engine) Counts() Counts { return e.counts }

// beginInput starts an input: it fires the timers due until then, and moves time.
func (e *Engine) beginInput(now time.Time) {
	if e.events = e.events[:0]; cap(e.events) > 4*maxEvents {
		e.events = nil
	}
	until := max(now.UnixNano(), e.now)
	e.fireTimers(until)
	e.now = until
}
