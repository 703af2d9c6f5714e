package effect

import (
	"net/netip"
	"slices"

	"sesame/daemon/packet"
)

// A backlog finds steps that wait behind a step of their decision by what they
// change. What the engine decided last must hold: when a later step for the same
// key is performed first, the one that waits is stale.
type backlog map[key][]*step

// A key names what a step changes: the kernel's element for a source and a port, or
// what the undo of a command reverts. Steps with the same key must not swap places.
type key struct {
	source   netip.Prefix // not set for a shared command
	port     packet.Port
	undo     string
	observed bool
}

func keyOf(s *step) key {
	k := key{s.Source, s.Port, s.undoKey(), s.Observed}
	if s.Shared {
		k.source = netip.Prefix{}
	}
	return k
}

// keyed reports whether the order of a step among others of its key matters.
func (s *step) keyed() bool { return s.how.stage == inTransaction || s.undo != nil }

// add notes that a step waits. It may be noted already.
func (b backlog) add(s *step) {
	if s.waits || s.stale || !s.keyed() {
		return
	}
	s.waits = true
	b[keyOf(s)] = append(b[keyOf(s)], s)
}

// remove notes that a step waits no longer.
func (b backlog) remove(s *step) {
	if s.waits {
		b.drop(keyOf(s), func(waiting *step) bool { return waiting == s })
	}
}

// supersede makes stale the steps that wait and were decided before s, which is
// performed now: an element that s changes, or a command whose undo s is.
func (b backlog) supersede(s *step) {
	if len(b) == 0 || !s.keyed() {
		return
	}
	b.drop(keyOf(s), func(waiting *step) bool {
		waiting.stale = waiting.stale || waiting.number < s.number
		return waiting.stale
	})
}

// drop removes the steps of a key for which gone returns true.
func (b backlog) drop(k key, gone func(*step) bool) {
	rest := slices.DeleteFunc(b[k], func(s *step) bool {
		if !gone(s) {
			return false
		}
		s.waits = false
		return true
	})
	if b[k] = rest; len(rest) == 0 {
		delete(b, k)
	}
}
