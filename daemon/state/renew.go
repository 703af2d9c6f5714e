package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lost returns what of the open directory its path does not name any more; nil: it names all.
// Somebody deleted or replaced the directory, its journal or its lock, or unmounted its file
// system. What is appended then goes into a file that nobody finds, so call [Dir.Renew] first.
//
// A parent that we may not look into, which a start as root did, is no loss.
func (d *Dir) Lost() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal == nil {
		return nil // Append says why
	}
	return d.lost()
}

// lost is Lost. The caller holds d.mu.
func (d *Dir) lost() error {
	if err := d.lostDir(); err != nil {
		return err
	}
	if d.journal.file != nil && !d.names(journalName, d.journal.file) {
		return fmt.Errorf("the journal in %s was deleted or replaced", d.path)
	}
	return nil
}

// lostDir returns whether the directory is lost, or its lock, which only a new start may take.
func (d *Dir) lostDir() error {
	ours, err := d.root.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the state directory: %w", err)
	}
	// An unlinked directory has no links, also where a mount keeps its path: in the mount namespace
	// of a service.
	status, ok := ours.Sys().(*syscall.Stat_t)
	now, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), ok && status.Nlink == 0:
		return fmt.Errorf("the state directory %s was deleted", d.path)
	case err == nil && !os.SameFile(ours, now):
		return fmt.Errorf("the state directory %s was replaced", d.path)
	case d.lock != nil && !d.names(lockName, d.lock):
		return fmt.Errorf("the lock of the state directory %s was deleted or replaced", d.path)
	}
	return nil
}

// names reports whether a name in the directory is that of an open file.
func (d *Dir) names(name string, open *os.File) bool {
	ours, err := open.Stat()
	if err != nil {
		return false
	}
	now, err := d.root.Lstat(name)
	return err == nil && os.SameFile(ours, now)
}

// Renew opens what the path names now, as [Open] does, after [Dir.Lost] found that this is
// something else. It returns the directory to go on with, and closes d if that is another. The
// next Append writes the whole journal there: what counts is what d had, not what is found. The
// note that the clock was synchronised is written again; the script set is up to the caller.
//
// After an error d stays as it was, and Renew may be called again. Records must not be appended
// before it succeeds.
func (d *Dir) Renew() (*Dir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lostDir() == nil {
		d.journal.drop()
		return d, nil
	}
	next, err := Open(d.path)
	if err != nil {
		return nil, err
	}
	if d.synchronised.Load() {
		if err := next.NoteClockSynchronised(); err != nil {
			return nil, errors.Join(err, next.Close())
		}
	}
	next.disk = d.disk
	d.journal.drop()
	next.journal, d.journal = d.journal, nil
	// A set that is being saved in the old directory, which may hang, fails, or is lost with it.
	_ = d.root.Close()
	if d.lock != nil {
		_ = d.lock.Close()
	}
	return next, nil
}

// drop closes the file of a journal, so that the next Append writes a new one.
func (j *journal) drop() {
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.failed = nil, true
}
