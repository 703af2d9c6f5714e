package reach

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sesame/daemon/packet"
)

// maxResults bounds the results of a [Book]. Beyond it the one that was seen longest ago goes.
const maxResults = 1024

// A Book holds the latest result of each source at each port. It is safe for concurrent use.
type Book struct {
	mu      sync.Mutex
	results map[entry]Result
}

type entry struct {
	source netip.Addr
	port   packet.Port
}

// Put stores what became of a packet that came at a time, and returns the result with the times of
// all packets with that outcome in a row. It reports whether the outcome, or what caused it,
// differs from the one before.
func (b *Book) Put(r Result, came time.Time) (Result, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.results == nil {
		b.results = map[entry]Result{}
	}
	key := entry{r.Source, r.Port}
	before, known := b.results[key]
	if known && came.Before(before.Last) { // a late result of an earlier packet
		return before, false
	}
	changed := !known || !before.same(r)
	r.First, r.Last = came, came
	if !changed {
		r.First = before.First
	}
	if !known && len(b.results) >= maxResults {
		delete(b.results, b.oldest())
	}
	b.results[key] = r
	return r, changed
}

// same reports whether two results have one outcome and one cause.
func (r Result) same(o Result) bool {
	if r.Outcome != o.Outcome || r.Closed != o.Closed || (r.Blocker == nil) != (o.Blocker == nil) {
		return false
	}
	return r.Blocker == nil || *r.Blocker == *o.Blocker
}

// Forget removes the results for which gone is true. What comes next is told again.
func (b *Book) Forget(gone func(Result) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.results, func(_ entry, r Result) bool { return gone(r) })
}

func (b *Book) oldest() (key entry) {
	var last time.Time
	for k, r := range b.results {
		if last.IsZero() || r.Last.Before(last) {
			key, last = k, r.Last
		}
	}
	return key
}

// Results returns all results, the latest first.
func (b *Book) Results() []Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Result, 0, len(b.results))
	for _, r := range b.results {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Result) int {
		if order := b.Last.Compare(a.Last); order != 0 {
			return order
		}
		return a.Source.Compare(b.Source)
	})
	return all
}

// Of returns what became of a grant for a source, or a network, since it was given: the latest
// result of the port for any address in it. It is [Unused] when no packet came since then.
// Results are ordered as those of [Book.Results].
func Of(results []Result, source netip.Prefix, port packet.Port, since time.Time) Result {
	for _, r := range results {
		if r.Port == port && source.Contains(r.Source) && !r.Last.Before(since) {
			return r
		}
	}
	return Result{Source: source.Addr(), Port: port, Outcome: Unused}
}
