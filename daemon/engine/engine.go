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
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
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

	attempts      *table
	secret        secret  // of the hashes in both memories
	segments      *recent // TCP segments seen, to know retransmits
	flows         *recent // UDP flows that this host began, for strict doors
	timers        timers
	delayed       int // script timers among them
	grants        *grants
	limits        *limits
	store         *Store
	batches       *batches
	effects       uint64         // ids given to them
	pendingCloses []pendingClose // on_close calls that wait, first in first out
	oneTime       consumptions

	packet     *packet.Packet // at hand; nil while a timer fires
	ours       bool           // it is for an address of this host
	offered    []*door        // those that it concerns
	gathered   []*groupPort   // and groups
	beginning  []*door        // of a group, with it
	inProgress []progress     // of its source in a group
	call       Call
	serial     uint64 // of moments and timers
	events     []Event
	counts     Counts
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
		horizon:  wire.Forever,
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

// Counts returns what was counted so far. Between the expiry of a first-stage
// attempt and the next look at it, its miss is not yet in.
func (e *Engine) Counts() Counts { return e.counts }
