package engine

import (
	"time"
)

// A batch is the effects of one reply that are to be carried out in order. When
// one fails, those done before it are taken back, in reverse.
type batch struct {
	entries []entry
	first   uint64 // the ID of the first that is awaited; 0: none so far
}

// An entry is an effect of a batch.
type entry struct {
	event    Event     // its ID is 0 when no result is awaited
	grant    *grant    // that it is for; nil: none
	was, end time.Time // the ends of the grant before and after; was is zero when the effect made it
}

// batches finds effects by the id that the runner answers with.
type batches struct{ byID map[uint64]position }

// position is where an entry stands.
type position struct {
	batch *batch
	index int
}

func newBatches() *batches { return &batches{byID: make(map[uint64]position)} }

func (s *batches) pending() int { return len(s.byID) }
