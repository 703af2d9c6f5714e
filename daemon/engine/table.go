package engine

import (
	"hash/maphash"
	"iter"
)

// A table finds attempts by source and group in one flat index, so a packet costs about two
// cache misses whatever the number of attempts. Attempts with the same key form a ring, and the
// index has the last one.
type table struct {
	seed     maphash.Seed
	capacity int
	slots    slab[attempt] // slot 0 is never used
	free     int32         // slots that can be used again, linked by newer
	// index has entries of hash<<32 | slot, 0 is free; open addressing, linear, a power of two
	// long. The attempts of a source have one with sourceEntry, too, when bySource is set.
	index []uint64
	keys  int // in the index
	used  int // attempts

	oldest, newest int32 // first-stage attempts, in the order of their first knocks
	runs           []*run
	freeRuns       []int32

	bySource   bool // see [table.groupBySource]
	neighbours slab[neighbours]
}

func newTable(capacity int) *table {
	return &table{
		seed:     maphash.MakeSeed(),
		capacity: capacity,
		slots:    newSlab[attempt](),
		index:    make([]uint64, 128),
		runs:     make([]*run, 1),
	}
}

func (t *table) hash(key attemptKey) uint32 {
	return uint32(maphash.Comparable(t.seed, key))
}

// find returns the last slot with key, 0 when there is none.
func (t *table) find(key attemptKey) int32 {
	if t.used == 0 {
		return 0
	}
	return slotOf(t.index[t.seek(t.hash(key), &key)])
}

// seek returns where key, whose hash is h, is in the index or would be.
func (t *table) seek(h uint32, key *attemptKey) uint32 {
	mask := uint32(len(t.index) - 1)
	i := h & mask
	for t.index[i] != 0 && (uint32(t.index[i]>>32) != h || !t.has(t.index[i], key)) {
		i = (i + 1) & mask
	}
	return i
}

// has reports whether an entry of the index is that of key.
func (t *table) has(entry uint64, key *attemptKey) bool {
	at := t.slots.at(slotOf(entry))
	if entry&sourceEntry == 0 {
		return at.key == *key
	}
	return key.group == 0 && at.key.source == key.source
}

// slotOf returns the slot in an entry of the index.
func slotOf(entry uint64) int32 { return int32(uint32(entry &^ sourceEntry)) }

func entryOf(h uint32, slot int32) uint64 { return uint64(h)<<32 | uint64(uint32(slot)) }

// all returns the slots with key, in the order in which they were added. None may be added or
// removed in the meantime.
func (t *table) all(key attemptKey) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		last := t.find(key)
		for slot := last; slot != 0; {
			slot = t.slots.at(slot).next
			if !yield(slot) || slot == last {
				return
			}
		}
	}
}

// isIn reports whether key has an attempt in a door.
func (t *table) isIn(key attemptKey, door uint32) bool {
	for slot := range t.all(key) {
		if t.slots.at(slot).door == door {
			return true
		}
	}
	return false
}

// full reports whether a further attempt would exceed the bound.
func (t *table) full() bool { return t.used >= t.capacity }

// add makes an attempt in a door. The key must have none there. The attempt is in no order of
// age, and at no stage: the caller puts it at one.
func (t *table) add(key attemptKey, door uint32) int32 {
	if 2*(t.keys+2) > len(t.index) {
		t.grow()
	}
	slot := t.free
	if slot != 0 {
		t.free = t.slots.at(slot).newer
	} else {
		slot = t.slots.grow()
	}
	a := t.slots.at(slot)
	*a = attempt{key: key, door: door, next: slot}
	h := t.hash(key)
	i := t.seek(h, &key)
	if last := slotOf(t.index[i]); last != 0 {
		a.next = t.slots.at(last).next
		t.slots.at(last).next = slot
	} else {
		t.keys++
	}
	t.index[i] = entryOf(h, slot)
	t.used++
	if t.bySource {
		t.joinSource(slot)
	}
	return slot
}

func (t *table) grow() {
	old := t.index
	t.index = make([]uint64, 2*len(old))
	for _, entry := range old {
		if entry != 0 {
			t.insert(entry)
		}
	}
}

// insert puts an entry into the index, which has none of its key.
func (t *table) insert(entry uint64) {
	mask := uint32(len(t.index) - 1)
	i := uint32(entry>>32) & mask
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = entry
}

// remove removes an attempt. It must be in no order of age and have no run.
func (t *table) remove(slot int32) {
	if t.bySource {
		t.leaveSource(slot)
	}
	a := t.slots.at(slot)
	h := t.hash(a.key)
	i := t.seek(h, &a.key)
	if a.next == slot {
		t.unindex(i, uint32(len(t.index)-1))
		t.keys--
	} else {
		last := slotOf(t.index[i])
		before := last
		for t.slots.at(before).next != slot {
			before = t.slots.at(before).next
		}
		t.slots.at(before).next = a.next
		if slot == last {
			t.index[i] = entryOf(h, before)
		}
	}
	*a = attempt{newer: t.free}
	t.free = slot
	t.used--
}

// unindex frees entry i. It moves up the entries behind it that were pushed past their place,
// so that no search meets a gap too early (Knuth, The Art of Computer Programming, volume 3,
// section 6.4, algorithm R).
func (t *table) unindex(i, mask uint32) {
	for j := (i + 1) & mask; t.index[j] != 0; j = (j + 1) & mask {
		home := uint32(t.index[j]>>32) & mask
		if (j-home)&mask >= (j-i)&mask {
			t.index[i] = t.index[j]
			i = j
		}
	}
	t.index[i] = 0
}

// enqueue makes a first-stage attempt the youngest.
func (t *table) enqueue(slot int32) {
	a := t.slots.at(slot)
	a.older, a.newer = t.newest, 0
	if t.newest != 0 {
		t.slots.at(t.newest).newer = slot
	} else {
		t.oldest = slot
	}
	t.newest = slot
}

// dequeue takes a first-stage attempt out of the order of age.
func (t *table) dequeue(slot int32) {
	a := t.slots.at(slot)
	if a.older != 0 {
		t.slots.at(a.older).newer = a.newer
	} else {
		t.oldest = a.newer
	}
	if a.newer != 0 {
		t.slots.at(a.newer).older = a.older
	} else {
		t.newest = a.older
	}
	a.older, a.newer = 0, 0
}

// queued reports whether an attempt is in the order of age.
func (t *table) queued(slot int32) bool {
	return t.slots.at(slot).older != 0 || t.oldest == slot
}

// attach gives an attempt a run: it is at a later stage from now on.
func (t *table) attach(slot int32, r *run) {
	if n := len(t.freeRuns); n > 0 {
		t.slots.at(slot).run = t.freeRuns[n-1]
		t.freeRuns = t.freeRuns[:n-1]
		t.runs[t.slots.at(slot).run] = r
	} else {
		t.slots.at(slot).run = int32(len(t.runs))
		t.runs = append(t.runs, r)
	}
}

// detach takes the run away again.
func (t *table) detach(slot int32) {
	i := t.slots.at(slot).run
	t.runs[i] = nil
	t.freeRuns = append(t.freeRuns, i)
	t.slots.at(slot).run = 0
}

// runOf returns the run of a later-stage attempt, and nil at the first stage.
func (t *table) runOf(slot int32) *run { return t.runs[t.slots.at(slot).run] }
