package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/account"
	"sesame/daemon/wire"
)

// kept are the files of a state directory that a daemon reads, and left those of which nothing
// counts when no daemon runs.
var (
	kept = []string{journalName, setName, clockName, attemptsName}
	left = []string{lockName, journalName + newSuffix, setName + newSuffix, clockName + newSuffix, attemptsName + newSuffix}
)

// logs are files that the daemon and root append to, and that no daemon reads: the audit log, and
// the one before it.
var logs = []string{"audit.log", "audit.log.1"}

// Taken is what root took back from a user, or why it gave nothing.
type Taken struct {
	From    int        // the user; 0: nothing was taken
	Undos   [][]string // commands that nobody runs any more
	OneTime []string   // files in which used sequences are not commented out, it says
	Damaged []string   // what of the journal was lost
	Pending int        // undo commands of root's daemon, so root keeps the directory; 0: none
}

// Hand lets a state directory belong to the user that the daemon is about to become, or to root.
// Only root may call it. A missing directory is made. One that a daemon has open stays as it is,
// and so does one of a third user: [Open] says so.
//
// Root's directory is given with all that is in it, unless undo commands are pending: the user
// could not run them, and its helper knows nothing of them. What a user wrote is not trusted when
// root takes the directory back, since root would do what it says: pending undo commands are
// dropped, lines that are to be commented out in a file, and the script set. Grants and values
// stay.
//
// After a crash at any time, another call goes on: files are given before the directory, and taken
// back after it. Until the end [Open] refuses what is mixed.
func Hand(dir string, to account.User, now time.Time) (taken Taken, err error) {
	if err := account.Make(dir, 0o700); err != nil {
		return taken, fmt.Errorf("making the state directory: %w", err)
	}
	place, err := account.Open(dir)
	if err != nil {
		return taken, fmt.Errorf("state directory %s: %w", dir, err)
	}
	defer place.Close()
	if !concerns(place, to) {
		return taken, nil
	}
	lock, free, err := unused(place.Root)
	if err != nil || !free {
		return taken, err
	}
	defer lock.Close() // nil is fine
	d := &Dir{path: dir, root: place.Root, disk: realDisk()}
	if to.ID == 0 {
		return takeBack(d, place, now)
	}
	if taken.Pending = len(d.pendingUndos()); taken.Pending > 0 {
		return taken, nil
	}
	return taken, place.Give(to, slices.Concat(kept, left, logs)...)
}

// Undos returns the undo commands that are pending in the journal of a state directory of root's:
// its daemon ran commands itself. It makes and changes nothing. Those of another user's daemon are
// its helper's.
func Undos(dir string) [][]string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer root.Close() // it is only read
	return (&Dir{path: dir, root: root}).pendingUndos()
}

// pendingUndos returns the undo commands that a journal has that are pending. A journal that cannot
// be read has none: who opens it says so. One of another user says nothing.
func (d *Dir) pendingUndos() (all [][]string) {
	if owner, err := ownerOf(d.root, journalName); err != nil || owner != 0 {
		return nil
	}
	read, err := d.read()
	if err != nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(read.grants)) {
		if undo := read.grants[id].Undo; undo != nil {
			all = append(all, texts(undo))
		}
	}
	for _, about := range slices.SortedFunc(maps.Keys(read.newer.entries), compareSubjects) {
		if _, undo := outline(read.newer.entries[about].Entry); undo != nil {
			all = append(all, undo)
		}
	}
	return all
}

// concerns reports whether a directory is to get another owner: root's that is given, or one with a
// journal, or with files, of another user that root takes back.
func concerns(place *account.Directory, to account.User) bool {
	switch {
	case to.ID != 0:
		return place.Owner == 0
	case place.Owner != 0:
		journal, err := place.Lstat(journalName)
		return err == nil && journal.Mode().IsRegular()
	}
	return slices.ContainsFunc(kept, func(name string) bool {
		owner, err := ownerOf(place.Root, name)
		return err == nil && owner != 0
	})
}

// unused locks a directory until the lock is closed, and reports whether it could: a daemon that
// runs has it. There may be no lock file. The owner of the directory may put anything in its place,
// so nothing is followed, made or waited for.
func unused(root *os.Root) (lock *os.File, free bool, err error) {
	lock, err = root.OpenFile(lockName, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("locking the state directory: %w", err)
	}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
		return lock, true, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return nil, false, errors.Join(err, lock.Close())
}

// takeBack makes a directory root's, and replaces each file in it that another user may have put
// there. A file of root's may be a second name that the user gave it, so from a directory of
// another user none stays; one in a directory of root's was put there after a crash of this.
func takeBack(d *Dir, place *account.Directory, now time.Time) (t Taken, err error) {
	t.From = place.Owner
	if err := errors.Join(place.TakeBack(), place.Chmod(".", 0o700)); err != nil {
		return t, fmt.Errorf("taking state directory %s back: %w", d.path, err)
	}
	theirs := t.From != 0
	for _, name := range slices.Concat(left, kept) {
		owner, err := ownerOf(d.root, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && owner == 0 && !theirs && !slices.Contains(left, name) {
			continue
		}
		t.From = max(t.From, owner)
		if err == nil {
			err = d.replaceForeign(name, &t, now)
		}
		if err != nil {
			return t, fmt.Errorf("taking state directory %s back: %w", d.path, err)
		}
	}
	for _, name := range logs {
		if err := takeLog(place, name); err != nil {
			return t, fmt.Errorf("taking state directory %s back: %w", d.path, err)
		}
	}
	return t, nil
}

// takeLog replaces a log file by a copy that is root's: its former owner may have it open. What is
// no ordinary file with one name is deleted: root would append to what it leads to.
func takeLog(place *account.Directory, name string) error {
	info, err := place.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.Mode().IsRegular() || stat.Nlink != 1 {
		return place.RemoveAll(name)
	}
	old, err := place.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = old.Close() }() // it was only read
	if err := place.RemoveAll(name + newSuffix); err != nil {
		return err
	}
	aside, err := place.OpenFile(name+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(aside, io.LimitReader(old, maxLog))
	if err := errors.Join(err, aside.Close()); err != nil {
		return err
	}
	return place.Rename(name+newSuffix, name)
}

// maxLog is more than a log file has, in bytes.
const maxLog = 64 << 20

// replaceForeign keeps of a file what harms nobody.
func (d *Dir) replaceForeign(name string, t *Taken, now time.Time) error {
	if name == journalName {
		return d.distrust(t, now)
	}
	if err := d.root.RemoveAll(name); err != nil || name != clockName {
		return err
	}
	return d.NoteClockSynchronised()
}

// ownerOf returns who may change a file by a descriptor or another name; 0: root alone.
func ownerOf(root *os.Root, name string) (int, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return 0, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), nil
	}
	return 0, nil
}

// distrust replaces the journal by one without commands. One that is no ordinary file is deleted.
func (d *Dir) distrust(t *Taken, now time.Time) error {
	info, err := d.root.Lstat(journalName)
	if err == nil && !info.Mode().IsRegular() {
		return d.root.RemoveAll(journalName)
	}
	path := d.path + "/" + journalName
	read, err := d.read()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(read.grants)) {
		g := read.grants[id]
		if g.Argv == nil && g.Undo == nil {
			continue
		}
		delete(read.grants, id) // read.last keeps the number
		if g.Undo != nil {
			t.Undos = append(t.Undos, texts(g.Undo))
		}
	}
	for use, times := range read.consumed {
		if file := string(use.File); times > 0 && !slices.Contains(t.OneTime, file) {
			t.OneTime = append(t.OneTime, file)
		}
	}
	slices.Sort(t.OneTime)
	clear(read.consumed)
	if n := len(read.newer.entries); n > 0 {
		t.Damaged = append(t.Damaged, fmt.Sprintf("%s: records of a newer version, which nobody can check, %d in all", path, n))
	}
	for _, warning := range append(read.warnings(path), read.tear(path)) {
		if warning != nil {
			t.Damaged = append(t.Damaged, warning.Error())
		}
	}
	d.journal = newJournal(wire.Nanoseconds(now), stopwatch())
	if _, err := d.journal.take(read); err != nil {
		return err
	}
	defer d.journal.drop()
	return d.rewrite()
}

func texts(argv []wire.Text) []string {
	all := make([]string, len(argv))
	for i, word := range argv {
		all[i] = string(word)
	}
	return all
}
