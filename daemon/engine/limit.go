package engine

import (
	"cmp"
	"container/heap"
	"fmt"
	"net/netip"
	"time"

	"sesame/daemon/wire"
)

// limits counts how often doors with a limit were opened. It is the virtual scheduling
// algorithm of GCRA (ITU-T I.371, annex A): one time for each subject is the measure of how much of
// the allowance is used.
//
// golang.org/x/time/rate does not fit: its Limiter cannot be saved and restored, which a replay
// from a snapshot needs, and says nothing of how many limiters there may be.
type limits struct {
	capacity int // of buckets of sources
	used     int
	byLimit  map[limitKey]*allowance
}

// A limitKey identifies a limit. A limit that a reload changes begins anew.
type limitKey struct {
	door  string
	count int
	per   time.Duration
}

// An allowance is the state of a limit: of all sources together, or of each.
type allowance struct {
	shared  bucket
	sources map[netip.Addr]*bucket
	queue   buckets // the same, the one that is whole again first on top
}

// A bucket is the used part of an allowance. One that is whole again is as if it was not there.
type bucket struct {
	source   netip.Addr
	full     int64 // when it is whole again
	refusing bool  // the latest completion was over the limit
	index    int   // in the queue
}

func newLimits(capacity int) *limits {
	return &limits{capacity: capacity, byLimit: make(map[limitKey]*allowance)}
}

func limitOf(d *Door) limitKey { return limitKey{door: d.Name, count: d.Limit.Count, per: d.Limit.Per} }

// of returns the allowance of a limit, a new one when it has none.
func (l *limits) of(key limitKey) *allowance {
	a := l.byLimit[key]
	if a == nil {
		a = &allowance{sources: make(map[netip.Addr]*bucket)}
		l.byLimit[key] = a
	}
	return a
}

// allow takes one completion from the allowance of a door, and reports whether it was there.
// report is true for the first refusal since the last success.
func (l *limits) allow(d *Door, source netip.Addr, now int64) (ok, report bool) {
	if d.Limit == nil {
		return true, false
	}
	a := l.of(limitOf(d))
	b := &a.shared
	if d.Limit.PerSource {
		b = l.bucket(a, source, now)
	}
	if next, ok := d.Limit.after(b.full, now); ok {
		b.full, b.refusing = next, false
		if d.Limit.PerSource {
			heap.Fix(&a.queue, b.index)
		}
		return true, false
	}
	report = !b.refusing
	b.refusing = true
	return false, report
}

// admitsAt returns from when on the limit of a door, which has refused a source, admits it again.
func (l *limits) admitsAt(d *Door, source netip.Addr) int64 {
	a := l.of(limitOf(d))
	b := &a.shared
	if d.Limit.PerSource {
		b = a.sources[source]
	}
	return b.full + int64(d.Limit.cost()-d.Limit.Per)
}

// cost is how much of the allowance a completion takes.
func (t *Limit) cost() time.Duration { return max(t.Per/time.Duration(t.Count), 1) }

// after returns when an allowance that is whole again at full will be so after one more completion,
// and whether there is room for that.
func (t *Limit) after(full, now int64) (next int64, ok bool) {
	next = wire.Add(max(full, now), t.cost())
	return next, next <= wire.Add(now, t.Per) && next < wire.Forever
}

// bucket returns the bucket of a source, a new one when it has none. Each new one removes up to two
// that are whole again, so what a flood of sources leaves behind goes when as many have come again.
//
// At the capacity a bucket makes room. A flood of sources that nobody can tell from honest ones
// must not refuse these, and each packet of the flood has an allowance of its own in any case. The
// bucket that goes is the one with the least used: whoever tries again and again keeps theirs. It
// is of the limit with the most buckets, so a flood at one door does not loosen the limits of
// others.
func (l *limits) bucket(a *allowance, source netip.Addr, now int64) *bucket {
	if b := a.sources[source]; b != nil {
		return b
	}
	for range 2 {
		if len(a.queue) > 0 && a.queue[0].full <= now {
			l.drop(a)
		}
	}
	if l.used >= l.capacity {
		l.dropWhole(now)
	}
	if l.used >= l.capacity {
		l.drop(l.largest())
	}
	return l.add(a, bucket{source: source, full: now})
}

func (l *limits) add(a *allowance, b bucket) *bucket {
	a.sources[b.source] = &b
	heap.Push(&a.queue, &b)
	l.used++
	return &b
}

// drop removes the bucket with the least used.
func (l *limits) drop(a *allowance) {
	b := heap.Pop(&a.queue).(*bucket)
	delete(a.sources, b.source)
	l.used--
}

// largest returns the allowance with the most buckets; of equals, the first in an order that is the
// same in every replay.
func (l *limits) largest() *allowance {
	var key limitKey
	var most *allowance
	for k, a := range l.byLimit {
		if most == nil || cmp.Or(len(a.queue)-len(most.queue), key.compare(k)) > 0 {
			key, most = k, a
		}
	}
	return most
}

func (k limitKey) compare(other limitKey) int {
	return cmp.Or(cmp.Compare(k.door, other.door), cmp.Compare(k.count, other.count), cmp.Compare(k.per, other.per))
}

// dropWhole drops all buckets of sources that are whole again.
func (l *limits) dropWhole(now int64) {
	for _, a := range l.byLimit {
		for len(a.queue) > 0 && a.queue[0].full <= now {
			l.drop(a)
		}
	}
}

// forgetWhole drops all that is whole again. A reload calls it: the limits that are gone would stay
// for ever otherwise.
func (l *limits) forgetWhole(now int64) {
	l.dropWhole(now)
	for key, a := range l.byLimit {
		if len(a.queue) == 0 && a.shared.full <= now {
			delete(l.byLimit, key)
		}
	}
}

// state returns the allowances that are not whole at now.
func (l *limits) state(now int64) (all []LimitState) {
	for key, a := range l.byLimit {
		for _, b := range append([]*bucket{&a.shared}, a.queue...) {
			if b.full > now {
				all = append(all, LimitState{wire.Text(key.door), key.count, key.per, b.source, b.full, b.refusing})
			}
		}
	}
	return all
}

// resume takes over the state of other limits.
func (l *limits) resume(states []LimitState) error {
	for _, was := range states {
		a := l.of(limitKey{string(was.Door), was.Count, was.Per})
		b := bucket{source: was.Source, full: was.Full, refusing: was.Refusing}
		switch {
		case !was.Source.IsValid():
			a.shared = b
		case a.sources[was.Source] != nil:
			return fmt.Errorf("the limit of door %q has the source %v twice", was.Door, was.Source)
		case l.used == l.capacity:
			return fmt.Errorf("limits of more than %d sources", l.capacity)
		default:
			l.add(a, b)
		}
	}
	return nil
}

// buckets is a heap, for package heap alone. Of equals the first by source is on top, so a replay
// drops the same.
type buckets []*bucket

func (h buckets) Len() int { return len(h) }

func (h buckets) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].full, h[j].full), h[i].source.Compare(h[j].source)) < 0
}

func (h buckets) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *buckets) Push(x any) {
	b := x.(*bucket)
	b.index = len(*h)
	*h = append(*h, b)
}

func (h *buckets) Pop() any {
	last := len(*h) - 1
	b := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	return b
}
