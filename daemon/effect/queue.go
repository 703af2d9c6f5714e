package effect

import (
	"errors"
	"slices"
	"sync"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Result is the answer to an effect with this ID, for [engine.Engine.Result].
type Result struct {
	ID  uint64
	Err error
}

// A step is an effect on its way from the queue to its answer.
type step struct {
	engine.Event
	kind    kind
	number  uint64        // in the order of the queue
	undo    []string      // that a command is owed, or is
	wrote   string        // the first line of a command's output
	install *installation // of an install alone

	err     error // why it must not be done; known before its turn
	stale   bool  // an element whose source and port were changed again while it waited
	lanes   []string
	blocked int // lanes in which others are before it
}

// A kind is what a step needs.
type kind uint8

const (
	needsNothing kind = iota
	needsJournal
	needsElement
	needsCommand
	needsLog
	needsInstall
	needsSpend
	needsMark
)

// kindOf returns what an event needs.
func kindOf(e *engine.Event) kind {
	switch {
	case e.Kind == engine.EventClose && e.Port != (packet.Port{}):
		return needsElement
	case e.Kind != engine.EventEffect:
		return needsNothing
	}
	switch e.Effect {
	case engine.EffectPersist:
		return needsJournal
	case engine.EffectElement:
		return needsElement
	case engine.EffectAllow:
		if e.ID != 0 {
			return needsElement
		}
	case engine.EffectExec, engine.EffectUndo:
		if e.Argv != nil {
			return needsCommand
		}
	case engine.EffectLog:
		return needsLog
	case engine.EffectConsume:
		return needsSpend
	case engine.EffectCommentOut:
		return needsMark
	}
	return needsNothing
}

// gives reports whether an event gives access or runs a command for the first
// time. Nothing is lost when it is refused: the engine takes it back.
func gives(e *engine.Event) bool {
	return e.Kind == engine.EventEffect && e.ID != 0 && (e.Effect == engine.EffectAllow || e.Effect == engine.EffectExec)
}

// bounded reports whether a step takes one of the places that [Config.Queue]
// bounds.
func (s *step) bounded() bool { return s.kind == needsLog || gives(&s.Event) }

// A queue is what the daemon's loop and the runner's own goroutines share.
type queue struct {
	mu       sync.Mutex
	steps    []*step
	finished []finished
	freed    int // commands whose processes are no more
	results  []Result
	taken    int       // places taken
	number   uint64    // of the last step
	stopAt   time.Time // the end of the grace; zero: nobody said that the daemon stops
	wake     chan struct{}
	ready    chan struct{}
}

// A finished is a command and what came of it.
type finished struct {
	step   *step
	output output
	err    error
}

var errFull = errors.New("too many effects wait to be carried out")

// Enqueue hands over events in the engine's order. It never blocks, and copies
// what it keeps, except the slices and the records that events point to: the
// engine does not change those. All events of one input belong in one call.
//
// A command of an observed door is answered as done. Its access is handed to the
// firewall as such, but for networks, which nobody misses there.
//
// When [Config.Queue] places are taken, a reply that gives something is answered
// with an error at once, and log lines are dropped. A reply is taken or refused
// as a whole, but for the record that a one-time sequence was used, which it was.
// Records, closes and undos have no bound of their own: what ends was given before.
func (r *Runner) Enqueue(events []engine.Event) {
	first := 0
	for first < len(events) && events[first].Kind != engine.EventEffect && events[first].Kind != engine.EventClose {
		first++
	}
	if first == len(events) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken, refused uint64 // replies
	var last *engine.Grant
	for i := first; i < len(events); i++ {
		e := &events[i]
		if e.Persist != nil && e.Persist.Grant != nil {
			last = e.Persist.Grant
		}
		kind := kindOf(e)
		if e.Observed && (kind == needsCommand || !e.Source.IsSingleIP()) {
			if e.ID != 0 {
				r.results = append(r.results, Result{ID: e.ID})
			}
			continue
		}
		if kind == needsNothing || e.Decision != 0 && e.Decision == refused {
			continue
		}
		s := &step{Event: *e, kind: kind, undo: undoOf(e, last)}
		if s.bounded() && r.taken >= r.cfg.Queue && (e.Decision == 0 || e.Decision != taken) {
			if e.ID != 0 {
				r.results = append(r.results, Result{e.ID, errFull})
			}
			refused = e.Decision
			continue
		}
		if e.Decision != 0 && kind != needsSpend {
			taken = e.Decision
		}
		r.push(s)
	}
	signal(r.wake)
	if len(r.results) > 0 {
		signal(r.ready)
	}
}

// undoOf returns the undo that a command has or is. The engine has a grant
// remembered right before its command.
func undoOf(e *engine.Event, last *engine.Grant) []string {
	switch {
	case e.Effect == engine.EffectUndo:
		return e.Argv
	case e.Effect == engine.EffectExec && e.Grant != 0 && last != nil && last.ID == e.Grant:
		return last.Undo
	}
	return nil
}

// Install makes the firewall hold what is wanted as a whole: guards, and the
// elements that the engine has when it is called. It is done in order with the
// effects before and after it. The channel receives one answer, and none when
// Run ends before.
func (r *Runner) Install(guards Guards, elements []engine.Element) <-chan error {
	wanted := &installation{guards, slices.Clone(elements), make(chan error, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.push(&step{kind: needsInstall, install: wanted})
	signal(r.wake)
	return wanted.done
}

// push adds a step. The caller holds the lock.
func (r *Runner) push(s *step) {
	r.number++
	s.number = r.number
	if s.bounded() {
		r.taken++
	}
	r.steps = append(r.steps, s)
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

// A take is all that the worker finds in the queue at once.
type take struct {
	steps    []*step
	finished []finished
	freed    int
}

func (r *Runner) take() take {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := take{r.steps, r.finished, r.freed}
	r.steps, r.finished, r.freed = nil, nil, 0
	return t
}

// empty reports whether nothing is left to take.
func (r *Runner) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.steps) == 0 && len(r.finished) == 0 && r.freed == 0
}

// publish hands the worker's answers over, and gives places back.
func (r *Runner) publish() {
	if len(r.answers) == 0 && r.places == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, r.answers...)
	r.taken -= r.places
	r.answers, r.places = r.answers[:0], 0
	if len(r.results) > 0 {
		signal(r.ready)
	}
}

// signal sends to a channel of capacity 1, in which one signal is as good as two.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
