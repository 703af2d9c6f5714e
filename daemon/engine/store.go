package engine

import (
	"net/netip"
	"time"

	"sesame/daemon/wire"
)

// A Store holds the values that scripts store, each until its own end. It never removes a value
// to make room: a forgotten nonce would let a replay through. When it is full, a decision that
// needs room is refused.
type Store struct {
	capacity int
	values   map[storeKey]stored
	swept    int64
}

type storeKey struct {
	script string     // its name, see [Script]
	source netip.Addr // invalid: of the whole script
	key    string
}

type stored struct {
	value any
	until int64
}

func newStore(capacity int) *Store {
	return &Store{capacity: capacity, values: make(map[storeKey]stored)}
}

// Get returns the value of key in a script's store, for one source, or for the whole script
// when source is invalid. It returns nil when there is none, or when it has expired at now.
func (s *Store) Get(script string, source netip.Addr, key string, now time.Time) any {
	v, ok := s.values[storeKey{script, source, key}]
	if !ok || v.until <= now.UnixNano() {
		return nil
	}
	return v.value
}

// grows reports whether a Put takes room that its key does not have already.
func (s *Store) grows(script string, source netip.Addr, o Put, now int64) bool {
	v, known := s.values[storeKey{script, source, o.Key}]
	return o.Value != nil && (!known || v.until <= now)
}

func (s *Store) put(script string, source netip.Addr, o Put) {
	key := storeKey{script, source, o.Key}
	if o.Value == nil {
		delete(s.values, key)
		return
	}
	until := int64(wire.Forever)
	if !o.Until.IsZero() {
		until = wire.Nanoseconds(o.Until)
	}
	s.values[key] = stored{o.Value, until}
}

// room reports whether n further values fit. If not, it first removes those that have expired,
// at most once a second.
func (s *Store) room(n int, now int64) bool {
	if len(s.values)+n <= s.capacity {
		return true
	}
	if now-s.swept >= int64(time.Second) {
		s.swept = now
		for key, v := range s.values {
			if v.until <= now {
				delete(s.values, key)
			}
		}
	}
	return len(s.values)+n <= s.capacity
}

// Put stores a value, or removes it when Value is nil. Value is a bool, a float64 or a string.
type Put struct {
	PerSource bool
	Key       string
	Value     any
	Until     time.Time // zero: for ever
}
