package engine

import (
	"hash/maphash"
	"net/netip"

	"sesame/daemon/packet"
)

// An attempt is one source's progress in one door. There may be a million, so
// it holds no pointer and nothing that only later stages need: a flood of first
// knocks costs 48 bytes and an index entry each.
type attempt struct {
	key          attemptKey
	run          int32 // index in table.runs of what later stages need; 0: first stage
	first        int64 // when the run's first knock came
	older, newer int32 // neighbours by age, 0: none; of first-stage attempts alone
	// Of the first knock:
	sequence uint32
	from     uint16
	flags    packet.Flags
}

// attemptKey is who attempts what. The source is an address in its 16-byte
// form: the decoder sees to it that no IPv6 address looks like an IPv4 one.
type attemptKey struct {
	source [16]byte
	door   uint32
}

func (k attemptKey) addr() netip.Addr { return netip.AddrFrom16(k.source).Unmap() }

// A table finds attempts by source and door, in one flat index, so that a packet
// costs about two cache misses whatever the number of attempts.
type table struct {
	seed     maphash.Seed
	capacity int
	slots    slab     // slot 0 is never used
	free     int32    // slots that can be used again, linked by newer
	index    []uint64 // hash<<32 | slot, 0 is free; open addressing, linear, a power of two long
	used     int

	oldest, newest int32 // first-stage attempts, in the order of their first knocks
	runs           []*run
	freeRuns       []int32
}

func newTable(capacity int) *table {
	return &table{
		seed:     maphash.MakeSeed(),
		capacity: capacity,
		slots:    newSlab(),
		index:    make([]uint64, 128),
		runs:     make([]*run, 1),
	}
}

func (t *table) hash(key attemptKey) uint32 {
	return uint32(maphash.Comparable(t.seed, key))
}

// find returns the slot of key, 0 when there is none.
func (t *table) find(key attemptKey) int32 {
	if t.used == 0 {
		return 0
	}
	h := t.hash(key)
	mask := uint32(len(t.index) - 1)
	for i := h & mask; t.index[i] != 0; i = (i + 1) & mask {
		if uint32(t.index[i]>>32) == h {
			if slot := int32(uint32(t.index[i])); t.slots.at(slot).key == key {
				return slot
			}
		}
	}
	return 0
}

// full reports whether a further attempt would pass the bound.
func (t *table) full() bool { return t.used >= t.capacity }

// add makes an attempt for key, which must have none. It is in no age queue.
func (t *table) add(key attemptKey) int32 {
	if 2*(t.used+1) > len(t.index) {
		t.grow()
	}
	slot := t.free
	if slot != 0 {
		t.free = t.slots.at(slot).newer
		*t.slots.at(slot) = attempt{key: key}
	} else {
		slot = t.slots.grow()
		t.slots.at(slot).key = key
	}
	t.place(t.hash(key), slot)
	t.used++
	return slot
}

func (t *table) place(h uint32, slot int32) {
	mask := uint32(len(t.index) - 1)
	i := h & mask
	for t.index[i] != 0 {
		i = (i + 1) & mask
	}
	t.index[i] = uint64(h)<<32 | uint64(uint32(slot))
}

func (t *table) grow() {
	old := t.index
	t.index = make([]uint64, 2*len(old))
	for _, entry := range old {
		if entry != 0 {
			t.place(uint32(entry>>32), int32(uint32(entry)))
		}
	}
}

// remove forgets an attempt, which is in no age queue and has no run.
func (t *table) remove(slot int32) {
	mask := uint32(len(t.index) - 1)
	i := t.hash(t.slots.at(slot).key) & mask
	for int32(uint32(t.index[i])) != slot {
		i = (i + 1) & mask
	}
	t.unindex(i, mask)
	*t.slots.at(slot) = attempt{newer: t.free}
	t.free = slot
	t.used--
}

// unindex frees entry i and moves up those behind it that were pushed past
// their place, so that no search ever meets a gap too early.
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

// runOf returns what a later-stage attempt has; nil at the first stage.
func (t *table) runOf(slot int32) *run { return t.runs[t.slots.at(slot).run] }
