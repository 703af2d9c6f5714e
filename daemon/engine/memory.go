package engine

import (
	"math"
	"math/rand/v2"
)

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
	// spread is odd and random. A hash is multiplied by it to find its place, so that the hashes
	// of a stranger's file do not all have the same place.
	spread   uint64
	partBits int // how many bits of that tell the part
}

// A generation is a hash table in parts, each with about partSize entries when the generation is
// full. Each part grows for itself: to copy all at once would hold up packets for too long.
type generation[V any] struct {
	parts []part[V] // a power of two
	count int
	began int64
	last  int64 // when something was put there last
}

// partSize is how many entries of a full generation there are for each part, a power of two.
const partSize = 2048

// newMemory returns a memory for capacity entries, at most 2^21 - 2. It grows as it is used, and
// shrinks again.
func newMemory[V any](span int64, capacity int) *memory[V] {
	m := &memory[V]{span: span, half: capacity / 2, lost: math.MinInt64, spread: rand.Uint64() | 1}
	for partSize<<m.partBits < m.half {
		m.partBits++
	}
	m.newer.parts, m.older.parts = make([]part[V], 1<<m.partBits), make([]part[V], 1<<m.partBits)
	return m
}

// empty reports whether nothing was ever put there.
func (m *memory[V]) empty() bool { return m.newer.count+m.older.count == 0 }

// get returns what is remembered for a hash and when it was put there, or nil. What it points to is
// valid until the next put.
func (m *memory[V]) get(hash uint64, now int64) (*V, int64) {
	at := m.place(hash | 1)
	one := m.newer.parts[at.part].find(at)
	if one == nil {
		one = m.older.parts[at.part].find(at)
	}
	if one == nil || now-one.at >= m.span {
		return nil, 0
	}
	return &one.value, one.at
}

// put remembers a value for a hash, in the place of the one before.
func (m *memory[V]) put(hash uint64, now int64, value V) {
	if now-m.newer.began >= m.span || m.newer.count >= m.half {
		m.turn(now)
	}
	m.add(&m.newer, slot[V]{value, hash | 1, now})
	m.newer.last = now
}

// add puts an entry into a generation, in the place of the one with its hash, and reports whether
// there was none.
func (m *memory[V]) add(g *generation[V], one slot[V]) bool {
	at := m.place(one.hash)
	p := &g.parts[at.part]
	if old := p.find(at); old != nil {
		*old = one
		return false
	}
	if len(p.entries) == 0 {
		p.begin(len(m.older.parts[at.part].entries))
	}
	p.entries = append(p.entries, one)
	g.count++
	if indexFor(len(p.entries)) <= len(p.index) {
		p.link(at, len(p.entries)-1)
		return true
	}
	p.index = make([]uint32, 2*len(p.index))
	for i := range p.entries {
		p.link(m.place(p.entries[i].hash), i)
	}
	return true
}

// turn begins a new generation. Its parts begin as large as those of the one before became.
func (m *memory[V]) turn(now int64) {
	if m.older.count > 0 && now-m.older.last < m.span {
		m.lost = m.older.last
	}
	spare := m.older.parts
	m.older = m.newer
	for i := range spare {
		spare[i].reuse(len(m.older.parts[i].entries))
	}
	m.newer = generation[V]{parts: spare, began: now, last: now}
}

// A place is where the entry of a hash is in a generation.
type place struct {
	hash  uint64
	part  uint64
	start uint64 // the high bits tell where its search in the index begins
	tag   uint32 // the low bits are 0
}

func (m *memory[V]) place(hash uint64) place {
	spread := hash * m.spread
	rest := spread << m.partBits
	return place{hash, spread >> (64 - m.partBits), rest, uint32(rest) &^ positionMask}
}
