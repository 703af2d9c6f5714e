package effect

import (
	"cmp"
	"errors"
	"time"

	"sesame/daemon/engine"
)

// An installation is all that the firewall shall hold.
type installation struct {
	guards   Guards
	elements []engine.Element
	done     chan error // capacity 1
}

// parkDelay is how long an element that found no table waits for an install.
const parkDelay = 2 * time.Second

var errUnanswered = errors.New("the firewall did not answer for this element")

// apply changes elements, and returns what came of each.
func (r *Runner) apply(changes []*step) []error {
	results := make([]error, len(changes))
	var elements []Element
	var from []int
	now := r.cfg.Now()
	for i, s := range changes {
		if s.err == nil && r.stopped && gives(&s.Event) {
			s.err = errStopped
		}
		if results[i] = s.err; s.err != nil || s.stale || s.kind == needsSpend {
			continue
		}
		r.keys.did(s)
		e := Element{Source: s.Source, Port: s.Port, Grant: s.Grant, Door: s.Door, Observed: s.Observed}
		if !s.Until.IsZero() {
			e.Remaining = s.Until.Sub(now)
		}
		elements, from = append(elements, e), append(from, i)
	}
	if len(elements) == 0 {
		return results
	}
	errs := r.cfg.Firewall.Apply(elements)
	gone := false
	for j, i := range from {
		switch {
		case errs == nil:
		case j >= len(errs):
			results[i] = errUnanswered
		default:
			results[i] = errs[j]
		}
		if errors.Is(results[i], ErrGone) {
			gone = true
			if s := changes[i]; s.Until.IsZero() || s.ID == 0 {
				results[i] = nil // with the table it is gone, and the install brings it back
			}
		}
	}
	if gone {
		signal(r.repair)
	}
	return results
}

// park lets an element that found no table wait for the install that Repair asks
// for. The engine decided on it before, so that install holds it.
func (r *Runner) park(s *step) {
	if len(r.parked) == 0 {
		r.parking = r.cfg.Now()
	}
	r.parked = append(r.parked, s)
}

// unpark gives up on the parked elements when no install came.
func (r *Runner) unpark() {
	if len(r.parked) > 0 && !r.cfg.Now().Before(r.parking.Add(parkDelay)) {
		r.unparkAll(ErrGone)
	}
}

// unparkAll answers the parked elements, and returns what waited for them.
func (r *Runner) unparkAll(err error) (resumed []*step) {
	parked := r.parked
	r.parked = nil
	failed := make(map[uint64]bool)
	for _, s := range parked {
		if s.Decision != 0 && failed[s.Decision] {
			r.leaveOut(s)
			continue
		}
		why := cmp.Or(s.err, err)
		r.answer(s, why)
		failed[s.Decision] = why != nil
	}
	for _, s := range parked {
		switch {
		case s.Decision == 0:
		case failed[s.Decision]:
			r.drop(s.Decision)
		default:
			resumed = append(resumed, r.resume(s.Decision)...)
		}
	}
	return resumed
}

// installAll gives the firewall all that it shall hold, and returns the steps
// that waited for it.
func (r *Runner) installAll(s *step) []*step {
	now := r.cfg.Now()
	var elements []Element
	for _, e := range s.install.elements {
		if until := r.shown(e).Sub(now); until > 0 && (!e.Observed || e.Source.IsSingleIP()) {
			elements = append(elements, Element{e.Source, e.Port, until, e.Grant, e.Door, e.Observed})
		}
	}
	err := r.cfg.Firewall.Install(s.install.guards, elements)
	s.install.done <- err
	return r.unparkAll(err)
}

// shown returns the end that an element has. One that still waits for a command
// of its reply is not there yet, since that may fail. If a grant before it has an
// element, that comes back when the reply is done: late is better than early.
func (r *Runner) shown(e engine.Element) time.Time {
	k := key{source: e.Source, port: e.Port, observed: e.Observed}
	if w := r.keys[k]; w == nil || w.done > w.newest {
		return e.Until
	}
	var end time.Time
	for _, s := range r.parked {
		if keyOf(s) == k {
			end = s.Until
		}
	}
	return end
}
