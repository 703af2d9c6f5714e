package engine

import "math/bits"

// A part of a generation has its entries in the order in which they came. A lookup that finds
// nothing reads the index alone, which is small enough for the caches of a processor, and a new
// entry is written behind the one before.
type part[V any] struct {
	entries []slot[V]
	// index is an open table, linear, a power of two long and at most three quarters full: in
	// the low bits the position of an entry plus one, and above them a tag of its hash. 0 is
	// free. While there are no entries it may have words of former ones.
	index []uint32
}

type slot[V any] struct {
	value V // first, since a value without a size would take room at the end
	hash  uint64
	at    int64
}

const (
	// positionBits is how many bits of a word of an index have the position. They suffice for a
	// part that has all entries of the largest generation.
	positionBits = 20
	positionMask = 1<<positionBits - 1
	leastIndex   = 16
)

// indexFor returns how long the index for n entries is.
func indexFor(n int) int {
	length := leastIndex
	for 4*n > 3*length {
		length *= 2
	}
	return length
}

// find returns the entry at a place, or nil.
func (p *part[V]) find(at place) *slot[V] {
	if len(p.entries) == 0 {
		return nil
	}
	mask := uint64(len(p.index) - 1)
	for i := at.start >> bits.LeadingZeros64(mask); ; i = (i + 1) & mask {
		word := p.index[i&mask]
		if word == 0 {
			return nil
		}
		if word&^positionMask == at.tag {
			if one := &p.entries[word&positionMask-1]; one.hash == at.hash {
				return one
			}
		}
	}
}

// link notes in the index the position of an entry that is not there.
func (p *part[V]) link(at place, position int) {
	mask := uint64(len(p.index) - 1)
	i := at.start >> bits.LeadingZeros64(mask)
	for p.index[i] != 0 {
		i = (i + 1) & mask
	}
	p.index[i] = at.tag | uint32(position+1)
}

// begin makes a part without entries ready for the first of about n.
func (p *part[V]) begin(n int) {
	if len(p.index) != indexFor(n) {
		p.entries, p.index = make([]slot[V], 0, n), make([]uint32, indexFor(n))
		return
	}
	clear(p.index)
}

// reuse empties a part, and keeps its room if about n entries will need it.
func (p *part[V]) reuse(n int) {
	if p.entries = p.entries[:0]; len(p.index) != indexFor(n) {
		*p = part[V]{}
	}
}
