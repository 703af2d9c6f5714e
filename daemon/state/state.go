// Package state turns what must survive a restart into files that a crash, a
// full disk or a torn write cannot make lie, and turns them back at the start.
//
// A state directory holds the journal of grants, stored values and one-time
// sequences that were used, and the last good script set. A record is safe once [Dir.Append] has returned nil for it,
// whatever happens to the machine afterwards. journal.go keeps the journal,
// recover.go reads it, line.go and wire.go are its format.
package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The files of a state directory. The new ones are written aside and renamed.
const (
	lockName    = "lock"
	journalName = "journal"
	setName     = "set"
	aside       = ".new"
)

// A Dir is a state directory that this process alone uses. Its methods may be
// called from any goroutine.
type Dir struct {
	path string
	root *os.Root
	lock *os.File // locked for as long as it is open
	disk disk

	mu      sync.Mutex // guards journal
	journal *journal   // nil before Recover

	saving sync.Mutex // guards the saved script set
}

// Open makes a state directory where there is none, for its owner alone, as are
// the parents that it makes, and locks it. It refuses a directory of another
// user, one that others can write to, and one that another process has open:
// that one's id is in the error. A lock ends with its process, however that ends.
func Open(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the state directory: %w", err)
	}
	d := &Dir{path: dir, root: root, disk: realDisk()}
	if err := d.claim(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// claim checks whose the directory is, and locks it.
func (d *Dir) claim() error {
	info, err := d.root.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the state directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("state directory %s: it belongs to user %d, and sesame runs as user %d: give it to that user, or name another with --state",
			d.path, owner.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("state directory %s: others can write to it (mode %04o), and so decide who is let in: run chmod 0700 %s",
			d.path, mode, d.path)
	}
	lock, err := d.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("locking the state directory: %w", err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	// A program that a daemon was about to run when it was killed holds its lock
	// until it runs.
	for tries := 0; tries < 100 && errors.Is(err, unix.EWOULDBLOCK) && !holderLives(lock); tries++ {
		pause()
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return errors.Join(d.inUse(lock, err), lock.Close())
	}
	d.lock = lock
	d.sign()
	return nil
}

// holderLives reports whether the process that signed the lock is there.
func holderLives(lock io.ReaderAt) bool {
	text := make([]byte, 20)
	n, _ := lock.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return err == nil && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// inUse says why the directory could not be locked.
func (d *Dir) inUse(lock io.Reader, err error) error {
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("locking the state directory %s: %w", d.path, err)
	}
	holder := "another process"
	if pid, _ := io.ReadAll(io.LimitReader(lock, 20)); len(pid) > 0 {
		holder = "another sesame, process " + strings.TrimSpace(string(pid))
	}
	return fmt.Errorf("state directory %s: %s uses it: stop that one first, or name another directory with --state", d.path, holder)
}

// sign writes our process id for those who find the directory locked. It is for
// people alone, and a full disk is no reason not to start.
func (d *Dir) sign() {
	if d.lock.Truncate(0) == nil {
		_, _ = fmt.Fprintln(d.lock, os.Getpid())
	}
}

// Close unlocks the directory. All that was appended is on the disk already.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saving.Lock()
	defer d.saving.Unlock()
	errs := []error{d.lock.Close(), d.root.Close()}
	if d.journal != nil && d.journal.file != nil {
		errs = append(errs, d.journal.file.Close())
		d.journal = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the state directory: %w", err)
	}
	return nil
}
