package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// This file shows the values of the store to people, and forgets those that they name.

// A Value is a stored value.
type Value struct {
	Script string     // the name under which it is kept
	Source netip.Addr // invalid: all sources share it
	Key    string
	Value  any       // a bool, a float64 or a string
	Until  time.Time // engine time; zero: for ever
}

// A Selection chooses stored values. Zero fields choose all.
type Selection struct {
	Script string
	Source netip.Addr
	Shared bool // only those that all sources share; Source is not used then
	Key    string
}

func (s *Selection) has(key storeKey) bool {
	switch {
	case s.Script != "" && s.Script != key.script, s.Key != "" && s.Key != key.key:
		return false
	case s.Shared:
		return !key.source.IsValid()
	}
	return !s.Source.IsValid() || s.Source == key.source
}

// Values returns the chosen values, in no order: a store may be large, and packets wait meanwhile.
// [SortValues] sorts them. Those that have expired are left out.
func (e *Engine) Values(chosen Selection) []Value {
	var all []Value
	for key, v := range e.store.values {
		if !chosen.has(key) || v.until <= e.now {
			continue
		}
		one := Value{Script: key.script, Source: key.source, Key: key.key, Value: v.value}
		if v.until != wire.Forever {
			one.Until = wire.Time(v.until)
		}
		all = append(all, one)
	}
	return all
}

// SortValues sorts values by script, source and key.
func SortValues(all []Value) {
	slices.SortFunc(all, func(a, b Value) int {
		return compareKeys(storeKey{a.Script, a.Source, a.Key}, storeKey{b.Script, b.Source, b.Key})
	})
}

// Forget removes the chosen values, as a person wants it, and requests the records of that.
func (e *Engine) Forget(now time.Time, chosen Selection) []Event {
	e.beginInput(now)
	for _, key := range e.store.sorted(chosen) {
		e.store.remove(key)
		e.persistValue(key, stored{})
	}
	return e.events
}

// sorted returns the keys of the chosen values, also of those that have expired.
func (s *Store) sorted(chosen Selection) []storeKey {
	var keys []storeKey
	for key := range s.values {
		if chosen.has(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys(a, b storeKey) int {
	return cmp.Or(cmp.Compare(a.script, b.script), a.source.Compare(b.source), cmp.Compare(a.key, b.key))
}
