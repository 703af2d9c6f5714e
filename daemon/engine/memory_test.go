package engine

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// A packet waits while a memory grows. So one put moves the entries of one part at most, however
// many there are, and a new generation moves none.
func TestAMemoryGrowsInSmallSteps(t *testing.T) {
	m := newResends()
	r := rand.New(rand.NewPCG(1, 1))
	length := make([]int, len(m.newer.parts))
	grown, turns := 0, 0
	for i := range 2*maxResent + 1000 {
		if i > 0 && m.newer.count == maxResent/2 {
			clear(length)
			turns++
		}
		hash := r.Uint64()
		m.put(hash, int64(i), struct{}{})
		at := m.place(hash | 1).part
		p := &m.newer.parts[at]
		if len(p.index) > length[at] && length[at] > 0 {
			grown++
		}
		length[at] = len(p.index)
		if i%5000 == 0 || i > 2*maxResent {
			for j := range m.newer.parts {
				if p := &m.newer.parts[j]; len(p.entries) > 0 && len(p.index) != length[j] {
					t.Fatalf("put %d: part %d grew from %d to %d with none of its own", i, j, length[j], len(p.index))
				}
			}
		}
		if len(p.index) > 2*partSize || cap(p.entries) > 2*partSize {
			t.Fatalf("put %d: a part of %d entries, with an index of %d", i, cap(p.entries), len(p.index))
		}
	}
	// In the first generation each part grows from 16 to 4,096. The later ones begin at that.
	if want := len(m.newer.parts) * 8; grown != want || turns != 4 {
		t.Errorf("parts grew %d times in %d generations, want %d times", grown, turns, want)
	}
}

// A memory that was full gives its room back when it is used less.
func TestAMemoryShrinks(t *testing.T) {
	m := newResends()
	r := rand.New(rand.NewPCG(1, 1))
	for range maxResent {
		m.put(r.Uint64(), 0, struct{}{})
	}
	room := func() (bytes int) {
		for _, g := range [][]part[struct{}]{m.newer.parts, m.older.parts} {
			for _, p := range g {
				bytes += cap(p.entries)*int(unsafe.Sizeof(slot[struct{}]{})) + 4*cap(p.index)
			}
		}
		return bytes
	}
	if full := room(); full < 20<<20 || full > 32<<20 {
		t.Errorf("%d bytes are in use for a million entries", full)
	}
	for i := range 4 {
		m.put(uint64(i), int64(1+i)*int64(resendSpan), struct{}{})
	}
	if left := room(); left > 1000 {
		t.Errorf("%d bytes are in use for four entries", left)
	}
}

// The hashes of a recording that a stranger made may be chosen so that a table has them all in one
// place. Reading them takes no longer than reading others.
func TestHashesOfAStranger(t *testing.T) {
	for _, step := range []uint64{2, 1 << 40} {
		m := newResends()
		for i := range uint64(maxResent / 2) {
			m.put(i*step, 0, struct{}{})
		}
		longest := 0
		for i := range m.newer.parts {
			length := 0
			for _, word := range m.newer.parts[i].index {
				if length++; word == 0 {
					length = 0
				}
				longest = max(longest, length)
			}
		}
		if longest > 2000 {
			t.Errorf("in steps of %d: a search may read %d words", step, longest)
		}
	}
}

// What is remembered is found, and nothing else, whatever part and place the hashes have.
func TestALargeMemory(t *testing.T) {
	m := newMemory[uint64](1<<40, 1<<16)
	r := rand.New(rand.NewPCG(2, 1))
	hashes := make([]uint64, 1<<15)
	for i := range hashes {
		hashes[i] = r.Uint64() | 1
		if got, _ := m.get(hashes[i], int64(i)); got != nil {
			t.Fatalf("entry %d is there before it came", i)
		}
		m.put(hashes[i], int64(i), hashes[i])
	}
	for i, hash := range hashes {
		if got, at := m.get(hash, 1<<15); got == nil || *got != hash || at != int64(i) {
			t.Fatalf("entry %d: %v of %d", i, got, at)
		}
	}
}
