package engine

// A slab holds attempts by their slots, in pieces that never move: it grows
// without copying what it has, which for a million attempts would take longer
// than packets can wait. Slot 0 is there from the beginning. The zero slab is
// not ready; see newSlab.
type slab struct {
	pieces []*[pieceSize]attempt
	length int // slots that there are
}

// pieceSize is how many slots a slab grows by, a power of two: they are 28 KiB.
const pieceSize = 512

func newSlab() slab { return slab{pieces: []*[pieceSize]attempt{{}}, length: 1} }

// at returns the attempt in a slot that there is.
func (s *slab) at(slot int32) *attempt {
	return &s.pieces[uint32(slot)/pieceSize][uint32(slot)%pieceSize]
}

// grow returns a slot that was not there before. Its attempt is zero.
func (s *slab) grow() int32 {
	if s.length == len(s.pieces)*pieceSize {
		s.pieces = append(s.pieces, new([pieceSize]attempt))
	}
	s.length++
	return int32(s.length - 1)
}
