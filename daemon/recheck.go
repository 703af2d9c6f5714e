package daemon

import (
	"slices"
	"sync"

	"sesame/daemon/control"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/reach"
)

// outdated are results of which the cause is gone: somebody changed the rules that stopped the
// packets. What becomes of the next packet is not known, but that there was one is. Its methods may
// be called from any goroutine. The zero value has none.
type outdated struct {
	mu      sync.Mutex
	results []reach.Result // the latest first, at most control.MaxReached
}

// recheck lets the guard forget the results whose cause is gone, and keeps them as outdated.
func (d *daemon) recheck(guard *firewall.Guard) error {
	before := guard.Reached()
	if err := guard.Recheck(); err != nil {
		return err
	}
	d.outdated.note(before, guard.Reached())
	return nil
}

// note keeps the blocked results that the guard held before and holds no longer.
func (o *outdated) note(before, after []reach.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range before {
		if r.Blocker != nil && !hasEntry(after, r) {
			r.Changed, r.Lines = true, nil
			o.results = append(o.results, r)
		}
	}
	slices.SortStableFunc(o.results, latestFirst)
	o.results = o.results[:min(len(o.results), control.MaxReached)]
}

// with returns the results of the guard, and those that are outdated and have no later one for the
// same source and port, the latest first.
func (o *outdated) with(results []reach.Result) []reach.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(results)
	for _, r := range o.results {
		if !hasEntry(all, r) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, latestFirst)
	return all
}

// hasEntry reports whether results have one for the same source and port.
func hasEntry(results []reach.Result, r reach.Result) bool {
	return slices.ContainsFunc(results, func(o reach.Result) bool { return o.Source == r.Source && o.Port == r.Port })
}

func latestFirst(a, b reach.Result) int { return b.Last.Compare(a.Last) }
