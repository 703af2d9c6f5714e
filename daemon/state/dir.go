// Package state turns records that must survive a restart into files, and reads them back at
// the next start.
//
// A state directory holds the journal (grants, stored values, one-time sequences that were
// used) and the script set that was applied last. A crash, a full disk or half a write
// damages at most the records that were being written. A record is safe once [Dir.Append] has
// returned nil for it.
//
// journal.go writes the journal, recover.go reads it, and newer.go has what a newer version wrote.
// entry.go and line.go are its format, saved.go is the script set, attempts.go what a clean stop
// leaves, and disk.go replaces a file so that a crash leaves the old one or the new one. renew.go
// goes on when somebody deleted the directory.
package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// The files of a state directory. A file is replaced by writing name.new and renaming it.
const (
	lockName    = "lock"
	journalName = "journal"
	setName     = "set"
	clockName   = "clock-was-synchronised" // empty
	newSuffix   = ".new"
)

// A Dir is a state directory. Only one process has it open at a time. Its methods may be
// called from any goroutine.
type Dir struct {
	path string
	root *os.Root
	lock *os.File // the kernel unlocks it when the process ends; nil: there is none
	disk disk

	reading bool // nothing is made in it

	mu      sync.Mutex // guards the next two
	journal *journal   // nil before Recover
	named   bool       // the lock file has our process id

	saving       sync.Mutex  // guards the saved script set
	synchronised atomic.Bool // the directory notes that the clock was synchronised
}

// A Refusal is why a state directory must not be used: it is not safe, another process has it
// open. A person must change that. Other errors are of the disk, which may answer later.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Open opens and locks a state directory. A missing directory, and its missing parents, are
// created with mode 0700. One that cannot be written, as on a file system that is read-only or
// full, opens too, so that it can be read.
//
// The error is a [*Refusal] when it is no directory, when it belongs to another user, when others
// can write to it, or when another process has it open. That process's id is in the error. The
// lock ends with the process, also after a crash. It is left out on a directory that cannot be
// written and has no file for it.
func Open(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); errors.Is(err, unix.ENOTDIR) {
		return nil, &Refusal{fmt.Errorf("making the state directory: %w", err)}
	} else if err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the state directory: %w", err)
	}
	return claimed(&Dir{path: dir, root: root, disk: realDisk()}, os.Geteuid())
}

// OpenToRead opens and locks a state directory as [Open] does, and makes nothing: the error is
// [fs.ErrNotExist] when there is none. Root may open that of any user.
func OpenToRead(dir string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the state directory: %w", err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = anybody
	}
	return claimed(&Dir{path: dir, root: root, disk: realDisk(), reading: true}, owner)
}

// anybody is an owner that is not asked for.
const anybody = -1

func claimed(d *Dir, owner int) (*Dir, error) {
	if err := d.claim(owner); err != nil {
		return nil, errors.Join(err, d.root.Close())
	}
	return d, nil
}

// Probe touches all of a state directory that [Open] and [Dir.Recover] do, and returns nothing. It
// is for a process of its own, which shows whether the disk answers: one that hangs cannot be
// ended, and holds nothing.
func Probe(dir string) {
	_ = os.MkdirAll(dir, 0o700)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	if lock, err := (&Dir{root: root}).openLock(); lock != nil && err == nil {
		_ = lock.Close()
	}
	for _, name := range []string{journalName, setName, clockName, attemptsName} {
		_, _ = root.ReadFile(name)
	}
}

// claim checks the owner and the mode of the directory, and locks it.
func (d *Dir) claim(wanted int) error {
	info, err := d.root.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the state directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && wanted != anybody && int(owner.Uid) != wanted {
		return &Refusal{fmt.Errorf("state directory %s: it belongs to user %d, and sesame runs as user %d: give it to that user, or name another with --state",
			d.path, owner.Uid, os.Geteuid())}
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return &Refusal{fmt.Errorf("state directory %s: others can write to it (mode %04o), and so decide who is let in: run chmod 0700 %s",
			d.path, mode, d.path)}
	}
	if err := d.checkFiles(wanted); err != nil {
		return err
	}
	lock, err := d.openLock()
	if lock == nil || err != nil {
		return err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	// When a daemon is killed between fork and exec of a command, the child still has the
	// lock until it executes the command. So wait up to a second while the process that
	// wrote its id does not exist.
	for tries := 0; tries < 100 && errors.Is(err, unix.EWOULDBLOCK) && !ownerLives(lock); tries++ {
		pause()
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return errors.Join(d.inUse(lock, err), lock.Close())
	}
	d.lock = lock
	return nil
}

// checkFiles refuses files that another user put into a directory that is root's now: that user may
// have them open still, and root runs what they say. See [Hand].
func (d *Dir) checkFiles(wanted int) error {
	if wanted != 0 {
		return nil
	}
	for _, name := range kept {
		if owner, err := ownerOf(d.root, name); err == nil && owner != 0 {
			return &Refusal{fmt.Errorf("state directory %s: %s in it belongs to user %d, who could have root run commands by it: delete it, or start sesame run as root, which takes what is safe over",
				d.path, name, owner)}
		}
	}
	return nil
}

// openLock opens the lock file, and makes it if it is missing. It returns nil when there is none
// and it cannot be made. A file that is there is only read: on a file system that hangs, an open
// for writing may hang too.
func (d *Dir) openLock() (*os.File, error) {
	lock, err := d.root.Open(lockName)
	if errors.Is(err, fs.ErrNotExist) {
		if d.reading {
			return nil, nil
		}
		if lock, err = d.root.OpenFile(lockName, os.O_RDONLY|os.O_CREATE, 0o600); err != nil {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("locking the state directory: %w", err)
	}
	return lock, nil
}

// ownerLives reports whether the process whose id is in the lock file exists.
func ownerLives(lock io.ReaderAt) bool {
	text := make([]byte, 20)
	n, _ := lock.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return err == nil && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// inUse returns the error for a directory that could not be locked.
func (d *Dir) inUse(lock io.Reader, err error) error {
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("locking the state directory %s: %w", d.path, err)
	}
	holder := "another process"
	if pid, _ := io.ReadAll(io.LimitReader(lock, 20)); len(pid) > 0 {
		holder = "another sesame, process " + strings.TrimSpace(string(pid))
	}
	return &Refusal{fmt.Errorf("state directory %s: %s uses it: stop that one first, or name another directory with --state", d.path, holder)}
}

// writeID writes our process id into the lock file. Only error messages need it, so a failure,
// as on a full disk, is ignored. It is not done before the first Append: a disk that can be read
// may hang when it is written.
func (d *Dir) writeID() {
	if file, err := d.root.OpenFile(lockName, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
		_, _ = fmt.Fprintln(file, os.Getpid())
		_ = file.Close()
	}
}

// Close closes the files and unlocks the directory. Appended records are on the disk already.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saving.Lock()
	defer d.saving.Unlock()
	errs := []error{d.root.Close()}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	if d.journal != nil && d.journal.file != nil {
		errs = append(errs, d.journal.file.Close())
		d.journal = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the state directory: %w", err)
	}
	return nil
}
