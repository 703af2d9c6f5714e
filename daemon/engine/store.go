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
	values map[storeKey]stored
	used   map[string]int // values of each script
	swept  int64
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

func newStore() *Store {
	return &Store{values: make(map[storeKey]stored), used: make(map[string]int)}
}

// set stores a value, new or not.
func (s *Store) set(key storeKey, v stored) {
	if _, known := s.values[key]; !known {
		countUse(s.used, key.script, 1)
	}
	s.values[key] = v
}

// remove removes a value, if it is there.
func (s *Store) remove(key storeKey) {
	if _, known := s.values[key]; known {
		countUse(s.used, key.script, -1)
		delete(s.values, key)
	}
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
		s.remove(key)
		return
	}
	until := int64(wire.Forever)
	if !o.Until.IsZero() {
		until = wire.Nanoseconds(o.Until)
	}
	s.set(key, stored{o.Value, until})
}

// room reports whether what is to be stored fits. If not, it first removes the values that have
// expired, at most once a second, and asks again.
func (s *Store) room(now int64, fits func() bool) bool {
	if fits() {
		return true
	}
	if now-s.swept >= int64(time.Second) {
		s.swept = now
		for key, v := range s.values {
			if v.until <= now {
				s.remove(key)
			}
		}
	}
	return fits()
}

// Put stores a value, or removes it when Value is nil. Value is a bool, a float64 or a string.
type Put struct {
	PerSource bool
	Key       string
	Value     any
	Until     time.Time // zero: for ever
}
