package effect

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"sesame/daemon/engine"
)

// parkDelay is how long a decision whose element found no table waits for an
// install before it fails.
const parkDelay = 2 * time.Second

// carryOut performs the next round of each of these decisions, in queue order. All
// elements of a round go to the kernel in one transaction. It is sent before a
// command starts or a log line is written, so a command never runs before the
// access that its decision gave. An installation ends a round: each step that is queued
// before it is performed before it.
func (r *Runner) carryOut(decisions []*decision) {
	var round []*step
	for len(decisions) > 0 {
		d := decisions[0]
		decisions = decisions[1:]
		if d.install == nil {
			round = append(round, r.next(d)...)
			continue
		}
		r.performRound(round)
		round = nil
		decisions = append(decisions, r.installAll(d.install)...) // in any order: performRound sorts
	}
	r.performRound(round)
}

// next returns a decision's next round, and updates the backlog.
func (r *Runner) next(d *decision) []*step {
	round := d.next()
	for _, s := range round {
		r.backlog.remove(s)
	}
	for _, s := range d.rest() {
		r.backlog.add(s)
	}
	return round
}

// performRound performs steps of any number of decisions, in the order in which
// the engine decided on them: first those of the transaction, then the others.
func (r *Runner) performRound(round []*step) {
	slices.SortFunc(round, func(a, b *step) int { return cmp.Compare(a.number, b.number) })
	var changes, others []*step
	for _, s := range round {
		if s.how.stage == inTransaction {
			changes = append(changes, s)
		} else {
			others = append(others, s)
		}
	}
	for i, err := range r.apply(changes) {
		s := changes[i]
		switch d := s.decision; {
		case d.parked: // it is performed again in the next round
		case !d.failed && !s.installed && errors.Is(err, ErrGone) && s.repairable():
			r.park(s)
		default:
			r.answer(s, err)
		}
	}
	for _, s := range others {
		switch d := s.decision; {
		case d.parked && d.without(s): // it is performed again in the next round
		case d.without(s) || s.stale:
			r.answer(s, nil)
		case s.err != nil:
			r.answer(s, s.err)
		case s.how.stage == inJournal:
			r.journal.await(s)
		case s.how.stage == inBackground:
			r.backlog.supersede(s)
			if s.needsRecord() {
				r.journal.await(s)
			}
			r.jobs.add(s)
		default:
			s.how.perform(r, context.Background(), s, func(_ Output, err error) { r.answer(s, err) })
		}
	}
}

// answer ends a step. The first failure of a decision that is not tolerated ends the
// decision: its remaining steps get no answer, since the engine does not wait for them.
func (r *Runner) answer(s *step, err error) {
	r.release(s)
	if s.decision.failed && s.decision.without(s) {
		return
	}
	s.how.log(r, s, err)
	if s.ID != 0 {
		answer := Result{ID: s.ID, Err: err}
		if err == nil && s.Effect == engine.EffectAllow && !s.stale && !s.decision.without(s) {
			answer.Gave = s.Source
		}
		r.answers = append(r.answers, answer)
	}
	if err == nil || s.Tolerates(err) {
		return
	}
	if s.how.stage == inTransaction && s.Effect != engine.EffectAllow {
		signal(r.repair) // of these changes, the engine takes back only an allow
	}
	d := s.decision
	d.failed, d.from = true, s.number
	for _, left := range d.rest() {
		r.backlog.remove(left)
		r.release(left)
	}
	d.at = len(d.steps)
}

// release gives back the place of a step that is over.
func (r *Runner) release(s *step) {
	if s.bounded() {
		r.released.add(s, 1)
	}
}

// repairable reports whether a step whose element found no table must wait for the
// install that brings it. Others need not wait. An element that must be removed is
// gone with the table. Nobody waits for the result of a step without an ID, and the
// install brings its element too.
func (s *step) repairable() bool { return s.ID != 0 && !s.Until.IsZero() }

// park lets a decision wait, from this element on, for the install that [Runner.Repair]
// requests. The install holds the element: the engine had decided on it before the
// request for all elements reached it.
func (r *Runner) park(s *step) {
	if len(r.parked) == 0 {
		r.parkedAt = r.cfg.Now()
	}
	d := s.decision
	d.parked, d.from = true, s.number
	d.rewind(s)
	r.parked = append(r.parked, d)
	for _, s := range d.round() {
		if s.how.stage != inTransaction { // elements of the round come with the install
			r.backlog.add(s)
		}
	}
}

// unpark returns the decisions that waited for an install, in queue order. Its
// error is the result of their elements.
func (r *Runner) unpark(err error) []*decision {
	parked := r.parked
	r.parked = nil
	for _, d := range parked {
		d.parked = false
		for _, s := range d.round() {
			if s.how.stage == inTransaction {
				s.installed, s.err = true, cmp.Or(s.err, err)
			}
		}
	}
	return parked
}

// overdue returns the decisions for which no install came in [parkDelay].
func (r *Runner) overdue() []*decision {
	if len(r.parked) == 0 || r.cfg.Now().Before(r.parkedAt.Add(parkDelay)) {
		return nil
	}
	return r.unpark(ErrGone)
}
