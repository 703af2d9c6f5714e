package engine

// A recent remembers the latest identities that it was given, as hashes in two halves. When the
// newer half is full, the older one is cleared, and they swap. So it remembers at least half
// and at most all of its capacity, by order of arrival alone.
//
// The hash is keyed and 63 bits wide, so a stranger cannot construct an identity with the hash of
// another. Among a quarter of a million, the chance that a new one has the hash of one of them
// is below 1 in 10^13.
type recent struct {
	newer, older []uint64 // open addressing, 0 is free; at most half full
	count, half  int
}

// newRecent returns a memory of capacity identities, a power of two. It grows as it is used, up
// to 16 bytes for each.
func newRecent(capacity int) *recent {
	return &recent{newer: make([]uint64, 16), older: make([]uint64, 16), half: capacity / 2}
}

// add remembers an identity by its hash, and reports whether it was known already.
func (r *recent) add(h uint64) bool {
	h |= 1
	if _, known := probe(r.older, h); known {
		return true
	}
	slot, known := probe(r.newer, h)
	if known {
		return true
	}
	if 2*(r.count+1) > len(r.newer) {
		r.grow()
		slot, _ = probe(r.newer, h)
	}
	r.newer[slot] = h
	r.count++
	return false
}

// has reports whether an identity is remembered.
func (r *recent) has(h uint64) bool {
	h |= 1
	_, old := probe(r.older, h)
	_, young := probe(r.newer, h)
	return old || young
}

// grow doubles the newer half while it is below its bound, and else swaps the halves.
func (r *recent) grow() {
	if r.count >= r.half {
		r.swapHalves()
		return
	}
	old := r.newer
	r.newer = make([]uint64, 2*len(old))
	for _, h := range old {
		if h != 0 {
			slot, _ := probe(r.newer, h)
			r.newer[slot] = h
		}
	}
}

// swapHalves makes the newer half the older one, and clears what was that.
func (r *recent) swapHalves() {
	r.newer, r.older, r.count = r.older, r.newer, 0
	if len(r.newer) < len(r.older) {
		r.newer = make([]uint64, len(r.older))
	}
	clear(r.newer)
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

// How many UDP flows are remembered at most, and how many TCP segments older versions remembered.
// At least half as many are.
const (
	maxSegments = 1 << 16
	maxFlows    = 1 << 14
)
