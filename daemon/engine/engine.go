// Package engine turns packets and the passage of time into events.
//
// An engine holds everything that Sesame knows while it runs: attempts in progress, grants,
// limits, and stored values. It decides and does nothing else. It does no I/O, starts no
// goroutine, reads no clock and knows no Lua. Time is an argument of every input, and a change
// of the world is an event that comes out. So a capture that is replayed and a live interface
// are decided by the same code, with the same result.
//
// Read set.go for what a door is, event.go and effect.go for what comes out, and call.go for how
// scripts take part. Then follow a knock: input.go, match.go, advance.go, complete.go, grant.go.
// For the rules of knockd read group.go and groupmatch.go, and onetime.go and consume.go for
// sequences that are used once. Types stand in files below the methods of Engine that use them.
package engine

import (
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// A Config bounds an engine. Zero fields mean the defaults.
type Config struct {
	// Attempts is how many attempts may be in progress. At the bound the oldest first-stage
	// attempt makes room. So an honest knock survives a flood of spoofed ones while the flood's
	// rate, times the time between two honest knocks, is below the bound. The default,
	// 1,048,576, withstands a million packets a second for one second between two knocks. A
	// first-stage attempt takes about 75 bytes. A later one takes several times that, but
	// needs a second right knock.
	Attempts int
	// Grants is how many grants may be live. A door refuses beyond it. The default is 65,536.
	// Stored values, limits, delays and unanswered effects have the same bound, each.
	Grants int
	// Seed decides the randomness that scripts see.
	Seed uint64
}

// An Engine holds attempts, grants and stored values, and decides.
//
// The methods that return events are its inputs, and there are no others: the same inputs in
// the same order give the same events. Each returns the events that it caused, in order. The
// slice belongs to the engine and is valid until the next input. An Engine is not safe for
// concurrent use: one goroutine owns it.
type Engine struct {
	cfg        Config
	now        int64         // engine time, Unix nanoseconds; never goes back
	offset     time.Duration // wall clock less engine time
	clockDoubt bool          // see [Engine.Clock]
	horizon    int64         // script timers due later are dropped
	index      *index
	tripwires  bool // false in an engine that an older version began
	// allRequired is true in an engine that a version began in which each command was required.
	allRequired bool
	priced      bool    // see [Call.Priced]
	local       *locals // nil: every address is ours
	own         *locals // see [Engine.Own]

	attempts      *table
	secret        secret            // of the hashes in both memories
	copies        *memory[path]     // packets seen, to recognise copies; nil as resends
	resends       *memory[struct{}] // TCP segments seen, to recognise retransmits
	segments      *recent           // the same in an engine that an older version began; else nil
	flows         *recent           // UDP flows that this host began, for strict doors
	timers        timers
	delayed       int            // script timers among them
	delays        map[string]int // the same of each script
	grants        *grants
	limits        *limits
	steps         steps
	store         *Store
	questions     questions
	timeouts      timeouts
	batches       *batches
	effects       uint64         // ids given to them
	pendingCloses []pendingClose // handlers of closes to call, first in first out
	oneTime       consumptions
	completions   map[string]completion // the latest, by door
	totals        totals
	early         bool                 // a function runs for a knock before the last one of a sequence
	stopwatch     func() time.Duration // nil: nobody asked, see [Engine.Stopwatch]

	// The packet at hand, and buffers for it that are used again.
	packet     *packet.Packet // nil while a timer fires
	ours       bool           // it is for an address of this host
	offered    []*door        // doors that it concerns
	unfit      bool           // it failed the payload test of one of them
	gathered   []*groupPort   // groups that it concerns
	beginning  []*door        // doors of a group that begin with it
	inProgress []progress     // attempts of its source in a group
	tripped    []progress     // attempts of its source that it ends, since it is to a tripwire
	call       Call

	explanation *explanation             // nil: nobody asked, see [Engine.Explain]
	checked     func(Condition, Outcome) // nil: nobody asked, see [Engine.Checked]
	traced      func(*Test)              // nil: nobody asked, see [Engine.Trace]

	serial   uint64 // of calls and timers
	events   []Event
	counts   Counts
	failing  map[failingKey]*Failing
	limiting map[limitingKey]*Limiting
}

// Counts are totals since the engine was made.
type Counts struct {
	Packets  int // given to Packet
	Knocks   int // packets that were a knock of some door, whatever followed
	Opens    int
	Misses   int               // with those of the first stage, which have no event; see [Engine.Overdue]
	Refusals int               // with all that were over a limit, most of which have no event
	Errors   int               // faults of scripts
	Clamped  int               // packets stamped earlier than their predecessor
	Dropped  [packet.Drops]int // by this engine: NotLocal, Malformed, NotWatched, Retransmit, OtherPayload, Duplicate
}

// New returns an engine without doors, to which every address is local. Its time begins at
// start.
func New(cfg Config, start time.Time) *Engine {
	if cfg.Attempts <= 0 {
		cfg.Attempts = 1 << 20
	}
	if cfg.Grants <= 0 {
		cfg.Grants = 1 << 16
	}
	return &Engine{
		cfg:     cfg,
		now:     start.UnixNano(),
		horizon: wire.Forever,
		index:   newIndex(&Set{}, nil),

		tripwires: true,
		priced:    true,

		attempts: newTable(cfg.Attempts),
		secret:   newSecret(),
		copies:   newCopies(),
		resends:  newResends(),
		flows:    newRecent(maxFlows),
		grants:   newGrants(),
		limits:   newLimits(cfg.Grants),
		delays:   make(map[string]int),

		steps:   newSteps(),
		store:   newStore(),
		batches: newBatches(),
		oneTime: newConsumptions(),

		timeouts:    timeouts{scripts: make(map[string]*TimedOut)},
		completions: make(map[string]completion),
		totals:      make(totals),
		failing:     make(map[failingKey]*Failing),
		limiting:    make(map[limitingKey]*Limiting),
	}
}

// Counts returns what was counted so far. A first-stage attempt that has expired counts as a
// miss only when the engine looks at it again.
func (e *Engine) Counts() Counts { return e.counts }
