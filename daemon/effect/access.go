package effect

import (
	"errors"
	"time"

	"sesame/daemon/engine"
)

// access performs what opens, prolongs, shortens and closes access. The round's
// call of [Firewall.Apply] does it.
var access = performer{stage: inTransaction, needed: changesElement, log: logAccess}

// changesElement reports whether the kernel has to change an element. An allow without
// an ID needs no change: a wider network covers it.
func changesElement(e *engine.Event) bool {
	return e.Kind == engine.EventClose || e.Effect != engine.EffectAllow || e.ID != 0
}

// An installation is all that the firewall must hold at one position in the queue.
type installation struct {
	guards   Guards
	elements []engine.Element
	done     chan error // capacity 1
}

var errUnanswered = errors.New("the firewall did not answer for this element")

// apply changes elements with one call of [Firewall.Apply], and returns the result
// of each step. Steps whose result is known already are not sent: stale ones, those
// that an install performed, and those that must not be performed.
func (r *Runner) apply(changes []*step) []error {
	results := make([]error, len(changes))
	var elements []Element
	var from []int // indices in changes
	now := r.cfg.Now()
	for i, s := range changes {
		if s.err == nil && !s.installed && r.stopped && gives(&s.Event) {
			s.err = ErrStopped
		}
		results[i] = s.err
		if s.err != nil || s.installed || s.stale {
			continue
		}
		r.backlog.supersede(s)
		e := Element{Source: s.Source, Port: s.Port, Grant: s.Grant, Door: s.Door, Observed: s.Observed, Cut: s.Cut}
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
			if !changes[i].repairable() {
				results[i] = nil
			}
		}
	}
	if gone {
		signal(r.repair)
	}
	return results
}

// installAll makes the firewall hold an installation, and returns the decisions
// that waited for it.
func (r *Runner) installAll(install *installation) []*decision {
	now := r.cfg.Now()
	var elements []Element
	for _, e := range install.elements {
		if remaining := r.installedEnd(e).Sub(now); remaining > 0 && (!e.Observed || e.Source.IsSingleIP()) {
			elements = append(elements, Element{Source: e.Source, Port: e.Port, Remaining: remaining, Grant: e.Grant, Door: e.Door, Observed: e.Observed})
		}
	}
	err := r.cfg.Firewall.Install(install.guards, elements)
	install.done <- err
	return r.unpark(err)
}

// installedEnd returns the end that an install gives an element; zero: it leaves
// the element out. An element that still waits for a command of its decision must
// not be there yet, since the command may fail. If an earlier grant has the same
// element, the install ends it too, and it comes back when the decision is done:
// access that comes late is better than access that comes too early.
func (r *Runner) installedEnd(e engine.Element) (end time.Time) {
	k := key{source: e.Source, port: e.Port, observed: e.Observed}
	if len(r.backlog[k]) == 0 {
		return e.Until
	}
	for _, d := range r.parked {
		for _, s := range d.round() {
			if s.how.stage == inTransaction && keyOf(s) == k {
				end = s.Until
			}
		}
	}
	return end
}

// logAccess logs a change of access at info: only a source that knows a door's
// sequence causes one, so a stranger cannot fill the log. Failures are limited.
func logAccess(r *Runner, s *step, err error) {
	log := r.cfg.Log
	if err != nil {
		r.warn("firewall not changed", "door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant, "error", err)
		return
	}
	if !log.IsInfo() {
		return
	}
	about := []any{"door", s.Door, "source", s.source(), "port", s.Port.String(), "grant", s.Grant}
	switch {
	case s.Observed && s.Effect == engine.EffectAllow:
		log.Info("access would be open: the door only observes", append(about, "ttl", s.TTL.String())...)
	case s.Observed:
	case s.Effect == engine.EffectCut:
		log.Info("sessions cut", about[2:6]...) // there is no door and no grant
	case s.Kind == engine.EventClose && s.Cut:
		log.Info("access closed", append(about, "reason", string(s.Reason), "cut", true)...)
	case s.Kind == engine.EventClose && s.Until.IsZero():
		log.Info("access closed", append(about, "reason", string(s.Reason))...)
	case s.Kind == engine.EventClose:
		log.Info("access goes on for other grants", append(about, "reason", string(s.Reason))...)
	case s.Effect == engine.EffectAllow:
		log.Info("access opened", append(about, "ttl", s.TTL.String())...)
	default:
		log.Debug("access changed", about...)
	}
}
