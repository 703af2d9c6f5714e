//go:build linux

package privileged

import (
	"context"
	"errors"
	"time"

	"sesame/daemon/effect"
)

// An earlier helper whose daemon was killed keeps the journal until its last command has ended,
// which can take minutes. The next one serves its daemon meanwhile: it reads the scripts, and runs
// what has no undo. What needs the journal waits.

const (
	// openInterval is the time between two tries to get the journal.
	openInterval = 100 * time.Millisecond
	// openPatience is how long a command with an undo waits for the journal. A daemon waits longer
	// for an answer, and takes a helper that gives none for gone.
	openPatience = 20 * time.Second
)

var errNotOpen = errors.New("an earlier helper still waits for the end of its last command: knock again later")

// open opens the journal, unless another helper has it.
func (s *Server) open() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.isOpen() {
		return nil
	}
	j, damaged, err := openJournal(s.cfg.Dir)
	if err != nil {
		return err
	}
	if damaged > 0 {
		s.cfg.Log.Warn("the journal of undos was damaged: an undo may be lost", "lines", damaged, "directory", s.cfg.Dir)
	}
	if n := len(j.newer); n > 0 {
		s.cfg.Log.Warn("the journal of undos has lines of a newer version of Sesame, which stay in it for 30 days", "lines", n, "directory", s.cfg.Dir)
	}
	s.journal = j
	close(s.opened)
	return nil
}

func (s *Server) isOpen() bool {
	select {
	case <-s.opened:
		return true
	default:
		return false
	}
}

// keepOpening tries to open the journal until that succeeds or ctx ends.
func (s *Server) keepOpening(ctx context.Context) error {
	for {
		if err := s.open(); !errors.Is(err, errInUse) {
			return err
		}
		select {
		case <-after(openInterval):
		case <-ctx.Done():
			return nil
		}
	}
}

// needJournal waits for the journal, which a command with an undo needs.
func (s *Server) needJournal(ctx context.Context) error {
	select {
	case <-s.opened:
		return nil
	case <-after(openPatience):
		return errNotOpen
	case <-ctx.Done():
		return effect.ErrStopped
	}
}

// whenOpen performs a request when the journal is open, if the daemon is still there then.
func (c *session) whenOpen(do func(context.Context) message) func(context.Context) message {
	return func(ctx context.Context) message {
		select {
		case <-c.server.opened:
			return do(ctx)
		case <-c.gone:
		case <-ctx.Done():
		}
		if c.server.isOpen() { // also of a daemon that asked for it and has ended
			return do(ctx)
		}
		return stopped()
	}
}

// open gets the journal for all sessions. When that fails, the connection ends.
func (c *session) open(ctx context.Context) {
	if err := c.server.keepOpening(ctx); err != nil {
		c.server.cfg.Log.Error("the journal of undos cannot be opened", "error", err)
		_ = c.conn.Close()
	}
}
