package effect

import (
	"errors"
	"net/netip"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file is the way of steps through the runner: in order, but for those that
// wait behind an unfinished effect of their reply.

// carryOut does steps in their order. Elements are gathered until something
// needs them done; commands and log lines come behind the elements that they
// follow, and others' too.
func (r *Runner) carryOut(steps []*step) {
	var changes, later []*step
	for len(steps) > 0 {
		s := steps[0]
		steps = steps[1:]
		waiting, behind := r.replies[s.Decision]
		switch {
		case behind && s.Decision != 0:
			r.replies[s.Decision] = append(waiting, s)
			r.keys.wait(s)
		case s.kind == needsElement || s.kind == needsSpend:
			changes = append(changes, s)
		case s.kind == needsLog || s.kind == needsMark || s.kind == needsCommand && s.stale:
			later = append(later, s)
		case s.kind == needsCommand:
			later = append(later, s)
			if s.Decision != 0 {
				r.replies[s.Decision] = nil
			}
		case s.kind == needsInstall:
			r.flush(changes, later)
			changes, later = nil, nil
			steps = append(r.installAll(s), steps...)
		}
	}
	r.flush(changes, later)
}

// flush changes elements, and then does what comes later.
func (r *Runner) flush(changes, later []*step) {
	failed, parked := make(map[uint64]bool), make(map[uint64][]*step)
	for i, err := range r.apply(changes) {
		s := changes[i]
		_, behind := parked[s.Decision]
		switch {
		case s.Decision != 0 && failed[s.Decision]:
			r.leaveOut(s)
		case errors.Is(err, ErrGone) && s.ID != 0 && !s.Until.IsZero() || s.Decision != 0 && behind:
			r.park(s)
			parked[s.Decision] = nil
		default:
			r.answer(s, err)
			failed[s.Decision] = err != nil
		}
	}
	for _, s := range later {
		waiting, behind := parked[s.Decision]
		switch {
		case s.Decision != 0 && failed[s.Decision]:
			r.leaveOut(s)
			r.drop(s.Decision)
		case s.Decision != 0 && behind:
			parked[s.Decision] = append(waiting, s)
			r.keys.wait(s)
		case s.kind == needsLog || s.stale:
			r.answer(s, nil)
		case s.err != nil:
			r.answer(s, s.err)
			failed[s.Decision] = true
			r.drop(s.Decision)
		default:
			r.keys.did(s)
			r.lanes.add(s)
		}
	}
	for reply, waiting := range parked {
		if reply != 0 {
			r.replies[reply] = append(waiting, r.replies[reply]...)
		}
	}
}

// resume returns the steps of a reply that waited, since they need not any more.
func (r *Runner) resume(reply uint64) []*step {
	waiting := r.replies[reply]
	delete(r.replies, reply)
	for _, s := range waiting {
		r.keys.resume(s)
	}
	return waiting
}

// drop leaves out the steps of a reply that waited, since one before them failed.
func (r *Runner) drop(reply uint64) {
	for _, s := range r.resume(reply) {
		r.leaveOut(s)
	}
}

// leaveOut ends a step that the engine has taken back, or will.
func (r *Runner) leaveOut(s *step) {
	if s.bounded() {
		r.places++
	}
}

// answer ends a step, and tells the engine and the log.
func (r *Runner) answer(s *step, err error) {
	r.leaveOut(s)
	r.tell(s, err)
	if s.ID != 0 {
		r.answers = append(r.answers, Result{s.ID, err})
	}
	if err != nil && s.kind == needsElement && s.Effect != engine.EffectAllow {
		signal(r.repair) // nobody takes it back
	}
}

// A key is what two steps have in common that must not change places: an
// element's source and port, or the undo that a command has or is.
type key struct {
	source   netip.Prefix
	port     packet.Port
	undo     string
	observed bool
}

func keyOf(s *step) key {
	return key{s.Source, s.Port, strings.Join(s.undo, "\x00"), s.Observed}
}

// ordered reports whether others must not overtake a step. A stale one they may:
// it will not be done.
func (s *step) ordered() bool { return !s.stale && (s.kind == needsElement || s.undo != nil) }

// keys tells of steps that wait behind an effect of their reply whether the
// engine has decided otherwise since, and that was done. What it decided last
// holds: an element that waited longer is stale, and so is a command whose undo
// came before it could run.
type keys map[key]*waits

type waits struct {
	count  int
	newest uint64 // number of the latest step that waits
	done   uint64 // number of the latest that was done meanwhile
}

func (k keys) wait(s *step) {
	if !s.ordered() {
		return
	}
	w := k[keyOf(s)]
	if w == nil {
		w = &waits{}
		k[keyOf(s)] = w
	}
	w.count++
	w.newest = max(w.newest, s.number)
}

func (k keys) resume(s *step) {
	if !s.ordered() {
		return
	}
	w := k[keyOf(s)]
	s.stale = w.done > s.number
	if w.count--; w.count == 0 {
		delete(k, keyOf(s))
	}
}

// did notes that a step was done, or tried.
func (k keys) did(s *step) {
	if len(k) == 0 {
		return
	}
	if w := k[keyOf(s)]; w != nil {
		w.done = max(w.done, s.number)
	}
}
