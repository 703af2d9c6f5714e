//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sesame/daemon/effect"
)

// Pending returns the undos in the journal of a helper's directory that are pending, as text for
// people. It makes and changes nothing, so that it may be called whether or not a helper runs. A
// directory that is not there has none.
func Pending(dir string) (all []string, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the helper's directory: %w", err)
	}
	defer root.Close() // it is only read
	j := &journal{root: root}
	if _, err := j.read(); err != nil {
		return nil, err
	}
	return j.pending(), nil
}

// pending returns the undos that are owed, and those of a newer version.
func (j *journal) pending() []string {
	all := j.list()
	for _, n := range j.newerUndos() {
		all = append(all, strings.Join(n.argv, " "))
	}
	return all
}

// Settle runs all undos that are pending, without a daemon, and returns how many ran and those that
// are pending still. The log says why. It is for a machine on which no daemon will run them.
func (s *Server) Settle(ctx context.Context) (ran int, left []string, err error) {
	if !s.isOpen() {
		return 0, nil, fmt.Errorf("%w %s: systemctl stop sesame-helper.service", errInUse, s.cfg.Dir)
	}
	c := &session{server: s, number: s.sessions.Add(1)}
	c.set, _ = s.cfg.Settings() // when they are wrong, each program is vetted all the same
	undos := s.journal.takeUnclaimed(nil, c.number)
	c.settle(ctx, undos)
	for _, o := range undos {
		if !s.journal.owes(o) {
			ran++
		}
	}
	return ran, s.journal.pending(), nil
}

// RunUndo runs an undo that is not in the journal: of a daemon that was root, and ran its commands
// itself. It is vetted as those in the journal are.
func (s *Server) RunUndo(ctx context.Context, c effect.Command, anyStatus bool) error {
	settings, _ := s.cfg.Settings()
	if err := settings.vetRun(c.Argv); err != nil {
		return err
	}
	if answer := runProgram(ctx, c); !answer.counts(anyStatus) {
		return errors.New(answer.text)
	}
	return nil
}
