package effect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// commentedOut performs the change of a file: a line of it, which is a one-time
// sequence that was consumed, is commented out. Lines of one file are commented out
// one after another.
var commentedOut = performer{
	stage: inBackground,
	perform: func(r *Runner, _ context.Context, s *step, answer func(output, error)) {
		answer(output{}, r.commentOut(s.File, s.Text))
	},
	queues: func(s *step) []string { return []string{"file\x00" + s.File} },
	log: func(r *Runner, s *step, err error) {
		if err != nil {
			r.warn("used one-time sequence not marked: that is tried again at the next start", "door", s.Door, "file", s.File, "error", err)
			return
		}
		r.cfg.Log.Debug("used one-time sequence marked", "door", s.Door, "file", s.File)
	},
}

// maxMarked is how large a file of one-time sequences may be, in bytes. A line that
// is longer than maxMarkedLine, with its newline, is no sequence.
const (
	maxMarked     = 1 << 20
	maxMarkedLine = 4095
)

// CommentOut marks a line in a file of one-time sequences as used, as knockd does: the
// first byte of the first such line becomes a "#". A line is given without the
// blanks around it. One that is not there any more is no error: it cannot be used
// again.
//
// The file is written aside and renamed, so that after a crash it is as before or
// as it shall be. It keeps its mode and owner, and where it is a symbolic link it is
// the file behind that which is marked. Everything else in it stays, byte for byte.
func CommentOut(file, line string) error { return mark(file, line, func(string) error { return nil }) }

// mark is Mark with a step before each change of the disk, which fails when that
// returns an error.
func mark(file, line string, step func(name string) error) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return markError(file, err)
	}
	dir, err := os.OpenRoot(filepath.Dir(real))
	if err != nil {
		return markError(file, err)
	}
	defer dir.Close()
	m := marking{dir: dir, name: filepath.Base(real), step: step}
	for range markTries {
		if err = m.mark(line); !errors.Is(err, errMeanwhile) {
			break
		}
	}
	if err != nil {
		return markError(file, err)
	}
	return nil
}

// markTries is how often a file is read anew when somebody wrote it meanwhile.
const markTries = 5

var (
	errMeanwhile = errors.New("somebody else goes on writing it")
	errOwner     = errors.New("it cannot stay its owner's")
)

func markError(file string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*os.LinkError](err); ok {
		err = failed.Err
	}
	hint := ""
	switch {
	case errors.Is(err, errOwner):
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		hint = ": let the daemon write the file and its directory; under systemd, name the directory in ReadWritePaths="
	case errors.Is(err, unix.EBUSY):
		hint = ": it is mounted alone, and cannot be replaced: mount its directory"
	}
	return fmt.Errorf("marking a used sequence in %s: %w%s", file, err, hint)
}

// A marking is a file whose lines are marked.
type marking struct {
	dir  *os.Root
	name string
	step func(string) error
}

func (m *marking) mark(line string) error {
	before, err := m.dir.Lstat(m.name)
	if err != nil {
		return err
	}
	file, err := m.open(before)
	if err != nil {
		return err
	}
	defer file.Close() // and give others their turn
	content, err := m.read(file, before)
	if err != nil {
		return err
	}
	at := usable(content, line)
	if at < 0 {
		return nil
	}
	content[at] = '#'
	return m.replace(content, before)
}

// open opens the file, and waits until nobody else marks it, under whatever name:
// who comes second then finds that another is in its place.
func (m *marking) open(before fs.FileInfo) (*os.File, error) {
	switch {
	case !before.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case before.Size() > maxMarked:
		return nil, fmt.Errorf("it has %d bytes: expected at most %d", before.Size(), maxMarked)
	}
	file, err := m.dir.OpenFile(m.name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(before, now) {
		return nil, errors.Join(errMeanwhile, err, file.Close())
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX) // some network file systems have no locks
	}
	return file, nil
}

// read returns the content of a file that nobody wrote meanwhile: one that is
// written may lack a line that it is about to have again.
func (m *marking) read(file *os.File, before fs.FileInfo) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxMarked+1))
	if err == nil && len(content) > maxMarked {
		err = errMeanwhile
	}
	if err != nil {
		return nil, err
	}
	return content, m.same(before)
}

// usable returns where the first such line that is not marked begins, -1 when
// there is none.
func usable(content []byte, line string) int {
	if line == "" || line[0] == '#' {
		return -1
	}
	at := 0
	for text := range bytes.Lines(content) {
		if len(text) <= maxMarkedLine && string(bytes.Trim(text, blanks)) == line {
			return at
		}
		at += len(text)
	}
	return -1
}

// blanks are what may stand around a sequence: C's isspace, which knockd asks.
const blanks = " \t\n\v\f\r"

// replace puts a file with this content in the place of the one that was there
// before, unless another is there meanwhile.
func (m *marking) replace(content []byte, before fs.FileInfo) (err error) {
	// A crash may have left one behind. The name is ours.
	aside := "." + m.name + ".sesame"
	if err := m.dir.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.step("create"); err != nil {
		return err
	}
	file, err := m.dir.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = m.dir.Remove(aside) // it has been renamed, or is of no use
		}
	}()
	err = m.write(file, content, before)
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = m.step("rename")
	}
	if err == nil {
		err = m.same(before)
	}
	if err == nil {
		err = m.dir.Rename(aside, m.name)
	}
	if err == nil {
		err = m.step("flush the directory")
	}
	if err == nil {
		err = m.flush()
	}
	return err
}

// write fills a new file, with mode and owner as they were.
func (m *marking) write(file *os.File, content []byte, before fs.FileInfo) error {
	if err := m.step("write"); err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	owner, _ := before.Sys().(*syscall.Stat_t)
	if err := m.own(file, owner); err != nil {
		return err
	}
	if err := file.Chmod(before.Mode().Perm()); err != nil {
		return err
	}
	if err := m.step("flush"); err != nil {
		return err
	}
	return file.Sync()
}

// own gives a file to who owned it before. Where that is who has it anyway, it
// takes no privilege.
func (m *marking) own(file *os.File, before *syscall.Stat_t) error {
	info, err := file.Stat()
	if err != nil || before == nil {
		return err
	}
	if now, ok := info.Sys().(*syscall.Stat_t); ok && now.Uid == before.Uid && now.Gid == before.Gid {
		return nil
	}
	if err := file.Chown(int(before.Uid), int(before.Gid)); err != nil {
		return fmt.Errorf("%w: give it to the user and group of the daemon: %w", errOwner, errors.Unwrap(err))
	}
	return nil
}

// same says whether the file is as it was before.
func (m *marking) same(before fs.FileInfo) error {
	now, err := m.dir.Lstat(m.name)
	if err != nil {
		return err
	}
	if !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()) || now.Size() != before.Size() {
		return errMeanwhile
	}
	return nil
}

// flush makes a rename last.
func (m *marking) flush() error {
	dir, err := m.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
