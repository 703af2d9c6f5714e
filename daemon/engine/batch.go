package engine

import (
	"time"
)

// A batch holds the effects of one decision in their order. When one fails, those before it are
// taken back, last first, and those after it are never done.
type batch struct {
	entries []entry
	first   uint64 // the ID of the first effect that is awaited; 0: none so far
}

// An entry is an effect of a batch that is awaited, or that belongs to a grant.
type entry struct {
	event Event     // its ID is 0 when no result is awaited
	grant *grant    // the grant that it is for; nil: none
	was   term      // of the grant before; zero for a new grant
	end   time.Time // of the grant after it
}

// batches finds the effects that are awaited by the ID that the runner answers with.
type batches struct{ byID map[uint64]position }

// A position is the place of an entry.
type position struct {
	batch *batch
	index int
}

func newBatches() *batches { return &batches{byID: make(map[uint64]position)} }

// pending returns how many effects are awaited.
func (s *batches) pending() int { return len(s.byID) }
