package engine

import "iter"

// This file finds all attempts of a source at once, whatever their doors. A packet to a tripwire
// ends them, and a flood of such packets must not search each of hundreds of doors. A set of few
// doors does without: it would cost each first knock two more cache misses.

// sourceEntry marks an entry of a table's index that has the attempts of a source. Its hash is that
// of the key with group 0, which no group has, and its slot is that of any of them.
const sourceEntry = 1 << 31

// neighbours are the attempts before and after one in the ring of those of its source.
type neighbours struct{ before, after int32 }

// groupBySource sets whether the attempts of a source can be found together. A change looks at each
// attempt.
func (t *table) groupBySource(on bool) {
	if on == t.bySource {
		return
	}
	if t.bySource = on; !on {
		t.forgetSources()
		return
	}
	t.neighbours = newSlab[neighbours]()
	for slot := int32(1); int(slot) < t.slots.length; slot++ {
		if t.slots.at(slot).door == 0 {
			continue
		}
		if 2*(t.keys+1) > len(t.index) {
			t.grow()
		}
		t.joinSource(slot)
	}
}

// forgetSources removes the entries of all sources from the index.
func (t *table) forgetSources() {
	t.neighbours = slab[neighbours]{}
	old := t.index
	t.index, t.keys = make([]uint64, len(old)), 0
	for _, entry := range old {
		if entry != 0 && entry&sourceEntry == 0 {
			t.insert(entry)
			t.keys++
		}
	}
}

// ofSource returns the attempts of a source, in no order. None may be added or removed in the
// meantime.
func (t *table) ofSource(source [16]byte) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		key := attemptKey{source: source}
		first := slotOf(t.index[t.seek(t.hash(key), &key)])
		for slot := first; slot != 0; {
			if !yield(slot) {
				return
			}
			if slot = t.neighbours.at(slot).after; slot == first {
				return
			}
		}
	}
}

// joinSource adds an attempt to the ring of its source. The index must have room for one more key.
func (t *table) joinSource(slot int32) {
	for int(slot) >= t.neighbours.length {
		t.neighbours.grow()
	}
	key := attemptKey{source: t.slots.at(slot).key.source}
	h := t.hash(key)
	i := t.seek(h, &key)
	before := slotOf(t.index[i])
	if before == 0 {
		t.index[i] = entryOf(h, slot) | sourceEntry
		t.keys++
		*t.neighbours.at(slot) = neighbours{slot, slot}
		return
	}
	after := t.neighbours.at(before).after
	*t.neighbours.at(slot) = neighbours{before, after}
	t.neighbours.at(before).after = slot
	t.neighbours.at(after).before = slot
}

// leaveSource removes an attempt from the ring of its source.
func (t *table) leaveSource(slot int32) {
	key := attemptKey{source: t.slots.at(slot).key.source}
	h := t.hash(key)
	i := t.seek(h, &key)
	n := *t.neighbours.at(slot)
	if n.after == slot {
		t.unindex(i, uint32(len(t.index)-1))
		t.keys--
		return
	}
	t.neighbours.at(n.before).after = n.after
	t.neighbours.at(n.after).before = n.before
	t.index[i] = entryOf(h, n.after) | sourceEntry
}
