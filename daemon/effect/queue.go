package effect

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sesame/daemon/engine"
)

// A Result is the answer to an effect with this ID, for [engine.Engine.Result].
type Result struct {
	ID  uint64
	Err error
	// Gave is who was given access in the firewall. Invalid: nobody.
	Gave netip.Prefix
}

// A queue is what the daemon's loop, the worker and the goroutines of background
// steps share. Its methods lock it; the other fields of a [Runner] belong to the
// worker alone.
type queue struct {
	mu      sync.Mutex
	work    take
	numbers uint64 // of the records so far
	results []Result
	places  places    // those of [Config.Queue] that are taken
	number  uint64    // of the last step
	stopAt  time.Time // end of the grace; zero: the daemon does not stop yet
	wake    chan struct{}
	ready   chan struct{}
	parts   map[uint64]*decision // the decisions of the call of Enqueue that runs

	journalState JournalState
	published    Work      // what the worker knows, as of its last round
	taken        time.Time // since when the first effect waits that the worker took since; zero: none does
	ran          map[CommandOutcome]int
}

// A take is everything that the worker takes out of the queue at once.
type take struct {
	records   []engine.Record // in order
	decisions []*decision     // in the order of their first steps
	finished  []finished
	freed     []*step           // background steps whose goroutine has ended
	written   *written          // a write to the journal has ended
	note      bool              // the offset of the wall clock is to be written
	callers   []caller          // of [Runner.Written]
	rounds    []chan<- struct{} // of [Runner.Published]
}

// A finished holds a background step with its result.
type finished struct {
	step   *step
	output Output
	err    error
}

var errFull = errors.New("too many effects wait to be carried out")

// Enqueue hands over events in the engine's order, and reports whether the worker has
// something to do with them. It never blocks, and copies
// what it needs, except the slices and the records that events point to: the
// engine does not change those. All events of one input belong in one call.
//
// For a door that only observes, nothing runs: its commands are answered as done.
// Its access for a single address goes to the firewall as an observed element, so
// that a granted source is not counted as one that a guard would stop. Access for a
// whole network is answered as done, since networks are not counted.
//
// When [Config.Queue] places are taken, a decision that gives something is
// answered with an error at once, and log lines are dropped. A decision is taken
// or refused as a whole, with two exceptions: an optional command is refused alone,
// and the record that a one-time sequence was consumed is never refused, since the
// sequence was seen on the wire. Nor are other records, closes and undos: a close or an
// undo ends what was given before, and a record must not be lost.
func (r *Runner) Enqueue(events []engine.Event) (woken bool) {
	first := 0 // most packets cause no effect, and need no lock
	for first < len(events) && events[first].Kind != engine.EventEffect && events[first].Kind != engine.EventClose {
		first++
	}
	if first == len(events) {
		return false
	}
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken, refused uint64 // IDs of decisions
	var last *engine.Grant    // the grant whose record came last
	for i := first; i < len(events); i++ {
		e := &events[i]
		if e.Persist != nil && e.Persist.Grant != nil {
			last = e.Persist.Grant
		}
		how := performerOf(e)
		if e.Observed && (how != nil && how.stage == inBackground || !e.Source.IsSingleIP()) {
			if e.ID != 0 {
				r.results = append(r.results, Result{ID: e.ID})
			}
			continue
		}
		if how == nil || e.Decision != 0 && e.Decision == refused {
			continue
		}
		if how.stage == inJournal {
			r.addRecords(*e.Persist)
		}
		if how == &recorded {
			continue
		}
		s := &step{Event: *e, how: how, undo: undoOf(e, last), record: r.numbers, since: now}
		if s.bounded() && (e.Decision == 0 || e.Decision != taken || e.Optional()) && !r.places.room(s, r.cfg.Queue) {
			if e.ID != 0 {
				r.results = append(r.results, Result{ID: e.ID, Err: errFull})
			}
			if !e.Optional() && e.ID != 0 { // nothing depends on a line for the log
				refused = e.Decision
			}
			continue
		}
		if e.Decision != 0 && how != &consumed {
			taken = e.Decision
		}
		r.push(s)
	}
	clear(r.parts)
	signal(r.wake)
	if len(r.results) > 0 {
		signal(r.ready)
	}
	return true
}

// addRecords queues records. The caller holds the lock.
func (r *Runner) addRecords(records ...engine.Record) {
	r.work.records = append(r.work.records, records...)
	r.numbers += uint64(len(records))
}

// push adds a step to its decision, and the decision to the queue. The caller
// holds the lock. The events of two decisions may alternate: a close within one
// may call a handler whose decision is another.
func (r *Runner) push(s *step) {
	r.number++
	s.number = r.number
	if s.bounded() {
		r.places.add(s, 1)
	}
	if s.decision = r.parts[s.Decision]; s.decision == nil {
		s.decision = &decision{}
		r.work.decisions = append(r.work.decisions, s.decision)
		if s.Decision != 0 {
			r.parts[s.Decision] = s.decision
		}
	}
	s.decision.steps = append(s.decision.steps, s)
}

// Install makes the firewall hold these guards and these elements, which are all
// that the engine has now. It is done in order with the effects before and after
// it. The channel has capacity 1 and receives one answer, or none when Run returns
// before.
func (r *Runner) Install(guards Guards, elements []engine.Element) <-chan error {
	install := &installation{guards, slices.Clone(elements), make(chan error, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.decisions = append(r.work.decisions, &decision{install: install})
	signal(r.wake)
	return install.done
}

// Results returns the answers since the last call, in the order in which the
// engine must be given them.
func (r *Runner) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := r.results
	r.results = nil
	return answers
}

// Ready receives when there are [Runner.Results].
func (r *Runner) Ready() <-chan struct{} { return r.ready }

func (r *Runner) take() take {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.work
	r.work = take{}
	if len(t.decisions) > 0 {
		r.taken = t.decisions[0].since()
	}
	return t
}

// empty reports whether nothing is left to take.
func (r *Runner) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.work
	return len(t.records) == 0 && len(t.decisions) == 0 && len(t.finished) == 0 && len(t.freed) == 0 && t.written == nil && !t.note && len(t.callers) == 0 && len(t.rounds) == 0
}

// Published returns a channel that is closed once [Runner.Results] has the results of all commands
// that ended before the call. It stays open when Run returns before.
func (r *Runner) Published() <-chan struct{} {
	done := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.rounds = append(r.work.rounds, done)
	signal(r.wake)
	return done
}

// publish hands the worker's answers and the state of the journal over, and gives places back.
func (r *Runner) publish() {
	j := &r.journal
	state, work := JournalState{Err: j.cause(), Since: j.since, Pending: j.unwritten()}, r.workNow()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.journalState, r.published, r.taken = state, work, time.Time{}
	for _, done := range r.rounds {
		close(done)
	}
	r.rounds = nil
	if len(r.answers) == 0 && r.released.all == 0 {
		return
	}
	r.results = append(r.results, r.answers...)
	r.places.take(&r.released)
	r.answers = r.answers[:0]
	if len(r.results) > 0 {
		signal(r.ready)
	}
}

// signal sends to a channel of capacity 1. A signal that was not received yet
// stands for this one as well.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
