package daemon

import (
	"fmt"

	"sesame/daemon/state"
)

var errSaveRuns = fmt.Errorf("it is still being written: a large set, or %w", errDiskHangs)

// saveSet saves a set, and waits for it at most savePatience: a set may have 128 MiB, and a disk
// may hang. One that takes longer goes on, and saved gets its result; the error is errSaveRuns
// then. A set that comes meanwhile is saved next, in place of one that waits. No two goroutines
// call it at once.
func (s *stateDir) saveSet(set state.Saved) error {
	if _, err := s.open(); err != nil {
		return err
	}
	s.mu.Lock()
	s.next = &set
	if !s.saving {
		select {
		case <-s.saved: // of a set before this one
		default:
		}
		s.saving = true
		go s.saveNext()
	}
	s.mu.Unlock()
	select {
	case err := <-s.saved:
		return err
	case <-after(savePatience):
		return errSaveRuns
	}
}

// saveNext saves sets until none waits. It gives the result of the last one.
func (s *stateDir) saveNext() {
	for {
		s.mu.Lock()
		dir, set := s.dir, s.next
		s.next = nil
		s.mu.Unlock()
		err := s.save(dir, *set)
		s.mu.Lock()
		if s.next == nil {
			s.saving = false
			s.saved <- err // there is room, since saveSet emptied it
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}
