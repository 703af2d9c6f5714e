package engine

import (
	"net/netip"
	"sesame/daemon/packet"
)

// A slab holds attempts, or what belongs to them, by their slots, in pieces that never move. It
// grows without copying: to copy a million attempts would hold up packets for too long. Slot 0 is
// there from the beginning and is never used. The zero slab is not ready; see newSlab.
type slab[T any] struct {
	pieces []*[pieceSize]T
	length int // slots that there are
}

// pieceSize is how many slots a slab grows by, a power of two: 28 KiB of attempts.
const pieceSize = 512

func newSlab[T any]() slab[T] { return slab[T]{pieces: []*[pieceSize]T{{}}, length: 1} }

// at returns what is in a slot. The slot must exist.
func (s *slab[T]) at(slot int32) *T {
	return &s.pieces[uint32(slot)/pieceSize][uint32(slot)%pieceSize]
}

// grow returns a new slot. What is in it is zero.
func (s *slab[T]) grow() int32 {
	if s.length == len(s.pieces)*pieceSize {
		s.pieces = append(s.pieces, new([pieceSize]T))
	}
	s.length++
	return int32(s.length - 1)
}

// An attempt is one source's progress in one door. There may be a million, so it holds no
// pointer and nothing that only later stages need: a flood of first knocks costs 56 bytes and
// an index entry each.
type attempt struct {
	key          attemptKey
	door         uint32 // id of the door; it may be the id of a removed door
	run          int32  // index in table.runs of what later stages need; 0: first stage
	older, newer int32  // neighbours by age, 0: none; of first-stage attempts alone
	next         int32  // the next attempt with the same key, in a ring
	first        int64  // when the run's first knock came
	// Of the first knock:
	sequence uint32
	from     uint16
	flags    packet.Flags
}

// An attemptKey identifies a source and its target: a door, or a group of doors that share the key
// of each source. The source is an address in its 16-byte form. No IPv6 address looks like an IPv4
// one there, since the decoder unmaps them.
type attemptKey struct {
	source [16]byte
	group  uint32 // id of the group, or of a door that is in none
}

func (k attemptKey) addr() netip.Addr { return netip.AddrFrom16(k.source).Unmap() }
