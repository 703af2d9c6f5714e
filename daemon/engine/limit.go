package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/wire"
)

// limits counts how often doors with a limit were opened. It is the virtual scheduling
// algorithm of GCRA (ITU-T I.371, annex A): one time for each key is the measure of how much of the
// allowance is used.
//
// golang.org/x/time/rate does not fit: its Limiter cannot be saved and restored, which a replay
// from a snapshot needs, and holds no allowance for sources that find no room.
type limits struct {
	capacity int
	buckets  map[limitKey]bucket
	swept    int64 // when room last removed keys
}

// A limitKey identifies a limit and its subject. A limit that a reload changes begins anew.
type limitKey struct {
	door   string
	count  int
	per    time.Duration
	source netip.Addr // invalid: all sources together
}

type bucket struct {
	full     int64 // when the allowance is whole again
	refusing bool  // the latest completion was over the limit
}

func newLimits(capacity int) *limits {
	return &limits{capacity: capacity, buckets: make(map[limitKey]bucket)}
}

// allow takes one completion from the allowance of a door, and reports whether it was there.
// report is true for the first refusal since the last success.
//
// At the bound of keys, sources without one share an allowance. So a flood of sources cannot
// refuse those who came before it, and cannot open more doors either.
func (l *limits) allow(d *Door, source netip.Addr, now int64) (ok, report bool) {
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

// room reports whether a further key fits. At the bound it removes those whose allowance is
// whole again, at most once a second, so that a flood does not pay for the loop with each
// packet.
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
