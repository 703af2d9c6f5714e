package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/wire"
)

// limits counts what doors with a limit let through. It is a virtual scheduler
// (GCRA, ITU-T I.371): one time a key says how much of the allowance is used.
type limits struct {
	capacity int
	buckets  map[limitKey]bucket
	swept    int64
}

// limitKey is who is limited by what. A limit that a reload changes begins anew.
type limitKey struct {
	door   string
	count  int
	per    time.Duration
	source netip.Addr // invalid: all sources together
}

type bucket struct {
	full     int64 // until when the allowance is not whole again
	refusing bool  // the latest knock was over the limit
}

func newLimits(capacity int) *limits {
	return &limits{capacity: capacity, buckets: make(map[limitKey]bucket)}
}

// allow asks for one completion. told is true for the first refusal of a run.
//
// Sources that find no room of their own share one allowance: a flood of sources
// cannot shut out those who came before it, and cannot open more doors either.
func (l *limits) allow(d *Door, source netip.Addr, now int64) (ok, told bool) {
	if d.Limit == nil {
		return true, false
	}
	key := limitKey{door: d.Name, count: d.Limit.Count, per: d.Limit.Per}
	if d.Limit.PerSource {
		key.source = source
	}
	if _, known := l.buckets[key]; !known && !l.room(now) {
		key.source = netip.Addr{}
	}
	b := l.buckets[key]
	cost := max(d.Limit.Per/time.Duration(d.Limit.Count), 1)
	if next := wire.Add(max(b.full, now), cost); next <= wire.Add(now, d.Limit.Per) && next < wire.Forever {
		l.buckets[key] = bucket{full: next}
		return true, false
	}
	l.buckets[key] = bucket{full: b.full, refusing: true}
	return false, !b.refusing
}

// room reports whether a further key fits. Those whose allowance is whole again
// are forgotten, at most once a second: the sweep must not be paced by a flood.
func (l *limits) room(now int64) bool {
	if len(l.buckets) < l.capacity {
		return true
	}
	if now-l.swept < int64(time.Second) {
		return false
	}
	l.swept = now
	for key, b := range l.buckets {
		if b.full <= now {
			delete(l.buckets, key)
		}
	}
	return len(l.buckets) < l.capacity
}
