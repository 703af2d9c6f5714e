package engine

import "hash/maphash"

// A recent remembers the latest identities that it was given, as hashes in two
// halves: when the younger half is full, the older is forgotten and they change
// places. It so remembers at least half and at most all of its capacity, by
// order of arrival alone. The hash is seeded and 63 bits wide, so nobody can
// aim at another's identity, and among a quarter of a million the chance that a
// new one is taken for one of them is below 1 in 10^13.
type recent[K comparable] struct {
	seed         maphash.Seed
	young, older []uint64 // open addressing, 0 is free; at most half full
	count, half  int
}

// newRecent returns a memory of capacity identities, a power of two. It grows
// as it is used, to 16 bytes for each.
func newRecent[K comparable](capacity int) *recent[K] {
	return &recent[K]{seed: maphash.MakeSeed(), young: make([]uint64, 16), older: make([]uint64, 16), half: capacity / 2}
}

// A segment is the identity of a TCP segment.
type segment struct {
	source     [16]byte
	sequence   uint32
	from, port uint16
}

// A flow is the identity of a UDP flow, seen from the one who began it.
type flow struct {
	source, dest [16]byte
	from, port   uint16
}

// see remembers k and reports whether it was known already.
func (r *recent[K]) see(k K) bool {
	h := r.hash(k)
	if _, known := probe(r.older, h); known {
		return true
	}
	slot, known := probe(r.young, h)
	if known {
		return true
	}
	if 2*(r.count+1) > len(r.young) {
		r.makeRoom()
		slot, _ = probe(r.young, h)
	}
	r.young[slot] = h
	r.count++
	return false
}

// knows reports whether k is remembered.
func (r *recent[K]) knows(k K) bool {
	h := r.hash(k)
	_, old := probe(r.older, h)
	_, young := probe(r.young, h)
	return old || young
}

func (r *recent[K]) hash(k K) uint64 { return maphash.Comparable(r.seed, k) | 1 }

// makeRoom lets the younger half grow while it may, and then change places.
func (r *recent[K]) makeRoom() {
	if r.count >= r.half {
		r.young, r.older, r.count = r.older, r.young, 0
		if len(r.young) < len(r.older) {
			r.young = make([]uint64, len(r.older))
		}
		clear(r.young)
		return
	}
	old := r.young
	r.young = make([]uint64, 2*len(old))
	for _, h := range old {
		if h != 0 {
			slot, _ := probe(r.young, h)
			r.young[slot] = h
		}
	}
}

// probe returns the slot where h is, or where it would go.
func probe(half []uint64, h uint64) (slot uint64, known bool) {
	mask := uint64(len(half) - 1)
	for slot = (h >> 20) & mask; ; slot = (slot + 1) & mask {
		switch half[slot] {
		case h:
			return slot, true
		case 0:
			return slot, false
		}
	}
}
