package engine

import (
	"time"
)

// A batch holds the effects of one decision in their order. When one fails, those before it are
// taken back, last first, and those after it are never done, unless the failure is tolerated:
// see [Event.Tolerates].
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
	// moved means that the grant's end changed with the wall clock while the result was awaited:
	// the kernel's element gets the new end when the result comes.
	moved bool
}

// batches finds the effects that are awaited by the ID that the runner answers with.
type batches struct {
	byID   map[uint64]position
	byDoor map[string]int // how many there are of each door
}

// An unanswered is an entry of a batch that is not answered in full.
type unanswered struct {
	*entry
	behind bool // an effect before it is awaited whose failure would leave it out
}

// byGrant returns the entries of the batches that are not answered in full, by their grants.
func (s *batches) byGrant() map[*grant][]unanswered {
	found, seen := map[*grant][]unanswered{}, map[*batch]bool{}
	for _, p := range s.byID {
		if seen[p.batch] {
			continue
		}
		seen[p.batch] = true
		behind := false
		for i := range p.batch.entries {
			x := &p.batch.entries[i]
			if x.grant != nil {
				found[x.grant] = append(found[x.grant], unanswered{x, behind})
			}
			behind = behind || s.awaits(*x) && !x.event.Optional()
		}
	}
	return found
}

// A position is the place of an entry.
type position struct {
	batch *batch
	index int
}

func newBatches() *batches {
	return &batches{byID: make(map[uint64]position), byDoor: make(map[string]int)}
}

// await notes that the effect of an event, which has the place p, is awaited.
func (s *batches) await(event Event, p position) {
	s.byID[event.ID] = p
	countUse(s.byDoor, event.Door, 1)
}

// answered forgets an effect, if it is awaited.
func (s *batches) answered(id uint64) {
	if p, awaited := s.byID[id]; awaited {
		countUse(s.byDoor, p.batch.entries[p.index].event.Door, -1)
		delete(s.byID, id)
	}
}

// pending returns how many effects are awaited.
func (s *batches) pending() int { return len(s.byID) }
