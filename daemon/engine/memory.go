package engine

import "math"

// A memory remembers what it was given for a span of engine time, by hashes, in two generations.
// When the newer one is full, or has lasted for the span, it becomes the older one, and what was
// that is forgotten. So at least the latest half of its capacity is remembered, and all of it at
// most.
//
// The hashes are keyed and 64 bits wide, so a stranger cannot construct one that is there already.
// Among a million the chance that a new one has the hash of one of them is below 1 in 10^13.
type memory[V any] struct {
	span         int64 // nanoseconds, above zero
	half         int   // what a generation holds at most
	newer, older generation[V]
	// lost is the latest time of what had to go before its span was over, for want of room.
	lost int64
}

// A generation is a hash table: open addressing, linear, a power of two long, at most half full.
type generation[V any] struct {
	slots []slot[V]
	count int
	began int64
	last  int64 // when something was put there last
}

type slot[V any] struct {
	hash  uint64 // 0: free
	at    int64
	value V
}

// newMemory returns a memory for capacity entries. It grows as it is used, and shrinks again.
func newMemory[V any](span int64, capacity int) *memory[V] {
	m := &memory[V]{span: span, half: capacity / 2, lost: math.MinInt64}
	m.newer.slots, m.older.slots = make([]slot[V], 16), make([]slot[V], 16)
	return m
}

// empty reports whether nothing was ever put there.
func (m *memory[V]) empty() bool { return m.newer.count+m.older.count == 0 }

// get returns what is remembered for a hash and when it was put there, or nil.
func (m *memory[V]) get(hash uint64, now int64) (*V, int64) {
	hash |= 1
	for _, g := range []*generation[V]{&m.newer, &m.older} {
		if s := g.find(hash); s.hash != 0 {
			if now-s.at >= m.span {
				return nil, 0
			}
			return &s.value, s.at
		}
	}
	return nil, 0
}

// put remembers a value for a hash, in the place of the one before.
func (m *memory[V]) put(hash uint64, now int64, value V) {
	if now-m.newer.began >= m.span || m.newer.count >= m.half {
		m.turn(now)
	}
	s := m.newer.room(hash | 1)
	*s = slot[V]{hash | 1, now, value}
	m.newer.last = now
}

// turn begins a new generation. It is as large as the one before became.
func (m *memory[V]) turn(now int64) {
	if m.older.count > 0 && now-m.older.last < m.span {
		m.lost = m.older.last
	}
	size := 16
	for size < 2*m.newer.count {
		size *= 2
	}
	spare := m.older.slots
	if m.older = m.newer; len(spare) != size {
		spare = make([]slot[V], size)
	} else {
		clear(spare)
	}
	m.newer = generation[V]{slots: spare, began: now, last: now}
}

// find returns the slot that has a hash, or the free one where it would be.
func (g *generation[V]) find(hash uint64) *slot[V] {
	mask := uint64(len(g.slots) - 1)
	for i := (hash >> 20) & mask; ; i = (i + 1) & mask {
		if s := &g.slots[i]; s.hash == hash || s.hash == 0 {
			return s
		}
	}
}

// room is find, and counts the slot when it was free.
func (g *generation[V]) room(hash uint64) *slot[V] {
	s := g.find(hash)
	if s.hash != 0 {
		return s
	}
	if g.count++; 2*g.count > len(g.slots) {
		g.grow()
		s = g.find(hash)
	}
	return s
}

func (g *generation[V]) grow() {
	old := g.slots
	g.slots = make([]slot[V], 2*len(old))
	for i := range old {
		if old[i].hash != 0 {
			*g.find(old[i].hash) = old[i]
		}
	}
}
