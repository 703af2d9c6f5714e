package effect

import (
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
)

// A decision holds the effects of one decision of the engine, in their order.
// They are performed one after another; after one has failed the rest is left
// out, since the engine takes the whole decision back. An optional command has its
// place in this order too, but nothing waits for its end or depends on it: see
// [engine.Event.Optional]. An effect that depends on no other, and an installation, is a
// decision of its own.
//
// The worker's goroutine owns a decision from the moment it has taken it out of
// the queue.
type decision struct {
	steps   []*step
	at      int           // index of the first step that next has not handed out
	failed  bool          // a step failed; steps[at:] is empty then
	parked  bool          // it waits for an install, see [Runner.park]
	from    uint64        // the number of the step that failed, or that waits for the install
	install *installation // not nil: this is an installation, and has no steps
}

// next hands out the next round: the steps that may be performed now. These are all
// steps up to and including the first one that runs in the background and is not
// optional, or whose record must be on the disk before anything is given. The rest waits
// for that one. It must not be called before the previous round is performed.
func (d *decision) next() []*step {
	round := d.round()
	d.at += len(round)
	return round
}

// round returns what next would hand out.
func (d *decision) round() []*step {
	rest := d.rest()
	awaited := func(s *step) bool {
		return s.how.stage == inJournal || s.how.stage == inBackground && !s.stale && !s.Optional()
	}
	if i := slices.IndexFunc(rest, awaited); i >= 0 {
		return rest[:i+1]
	}
	return rest
}

// rest returns the steps that next has not handed out.
func (d *decision) rest() []*step { return d.steps[d.at:] }

// without reports whether a step of the current round is left out of it, since a step
// before it failed, or waits for an install.
func (d *decision) without(s *step) bool { return (d.failed || d.parked) && s.number > d.from }

// rewind takes back a step of the current round, and all that follow it.
func (d *decision) rewind(to *step) { d.at = slices.Index(d.steps, to) }

// A step is one effect on its way from the queue to its answer.
type step struct {
	engine.Event
	decision *decision
	how      *performer
	number   uint64    // its place in the queue: the order in which the engine decided
	record   uint64    // number of the latest record when it was decided, see [step.needsRecord]
	since    time.Time // when it came into the queue
	undo     []string  // of a command: the undo that will be pending for it; of an undo: itself
	output   Output    // of a command

	err       error // why it must not be performed; nil: it may be
	installed bool  // an install performed it, or failed to: err is its result
	stale     bool  // superseded by a later step while it waited: nothing is done for it
	waits     bool  // it is in the backlog
	awaits    bool  // it waits for its record

	queues  []string // of a background step: the queues it is in
	blocked int      // in how many of these it is not the first, and 1 while it awaits its record
	started bool     // it runs, or has run
}

// gives reports whether an event gives something new: access, or a command's
// first run. It can be refused without loss, since the engine takes it back.
func gives(e *engine.Event) bool {
	return e.Kind == engine.EventEffect && e.ID != 0 && e.Effect.Gives()
}

// bounded reports whether a step takes one of the places that [Config.Queue]
// bounds.
func (s *step) bounded() bool { return s.Effect == engine.EffectLog || gives(&s.Event) }

// source returns the address of a step's source, or its network in CIDR notation
// when it is wider than one address.
func (s *step) source() string {
	if s.Source.IsSingleIP() {
		return s.Source.Addr().String()
	}
	return s.Source.String()
}

// undoKey returns the undo as one string; "" when there is none.
func (s *step) undoKey() string { return strings.Join(s.undo, "\x00") }
