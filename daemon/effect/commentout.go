package effect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"sesame/daemon/openfile"
)

// commentedOut comments out a line of a file: a one-time sequence that was consumed.
// Lines of one file are commented out one after another.
var commentedOut = performer{
	stage: inBackground,
	perform: func(r *Runner, _ context.Context, s *step, answer func(Output, error)) {
		answer(Output{}, r.commentOut(s.File, s.Text))
	},
	queues: func(s *step) []string { return []string{"file\x00" + s.File} },
	log: func(r *Runner, s *step, err error) {
		if err != nil {
			r.warn("used one-time sequence not commented out: that is tried again at the next start", "door", s.Door, "file", s.File, "error", err)
			return
		}
		r.cfg.Log.Debug("used one-time sequence commented out", "door", s.Door, "file", s.File)
	},
}

// maxFile bounds a file of one-time sequences, in bytes. A line that is longer than maxLine
// bytes, with its newline, is no sequence: knockd reads no more of a line at once.
const (
	maxFile = 1 << 20
	maxLine = 4095
)

// CommentOut comments out a line in a file of one-time sequences, as knockd does: the first
// byte of the first such line becomes a "#". The line is given without the blanks around it.
// If there is no such line, that is no error: the sequence cannot be used again.
//
// The file is written under another name, synced and renamed. So after a crash it has either
// its old or its new content. It keeps its mode and owner. If file is a symbolic link, its
// target is changed. Everything else in the file stays, byte for byte.
func CommentOut(file, line string) error {
	return commentOut(file, line, func(string) error { return nil })
}

// commentOut is CommentOut with a call of step before each change of the disk. When step
// returns an error, the change ends there. Tests simulate crashes in this way.
func commentOut(file, line string, step func(name string) error) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return commentOutError(file, err)
	}
	dir, err := os.OpenRoot(filepath.Dir(real))
	if err != nil {
		return commentOutError(file, err)
	}
	defer dir.Close()
	c := change{dir: dir, name: filepath.Base(real), step: step}
	for range maxTries {
		if err = c.commentOut(line); !errors.Is(err, errChanged) {
			break
		}
	}
	if err != nil {
		return commentOutError(file, err)
	}
	return nil
}

// maxTries is how often a file is read again when another program wrote it in the meantime.
const maxTries = 5

var (
	errChanged = errors.New("another program is still writing it")
	errOwner   = errors.New("it would change its owner")
)

// commentOutError adds what a person can do about an error.
func commentOutError(file string, err error) error {
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
	return fmt.Errorf("commenting out a used sequence in %s: %w%s", file, err, hint)
}

// A change rewrites one file in a directory. All file names are relative to the directory
// that was opened first, so nobody can move the change elsewhere by replacing a directory.
type change struct {
	dir  *os.Root
	name string
	step func(string) error
}

// commentOut makes the change once. It fails with errChanged when another program changed
// the file since it was read.
func (c *change) commentOut(line string) error {
	before, err := c.dir.Lstat(c.name)
	if err != nil {
		return err
	}
	file, err := c.open(before)
	if err != nil {
		return err
	}
	defer file.Close() // which also unlocks it
	content, err := c.read(file, before)
	if err != nil {
		return err
	}
	at := usable(content, line)
	if at < 0 {
		return nil
	}
	content[at] = '#'
	return c.replace(content, before)
}

// open opens the file and locks it against other daemons that comment out lines of it. They
// lock the inode, so two paths to one file are the same. The one that waited finds that
// another file has the name now, and tries again.
func (c *change) open(before fs.FileInfo) (*os.File, error) {
	switch {
	case !before.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case before.Size() > maxFile:
		return nil, fmt.Errorf("it has %d bytes: expected at most %d", before.Size(), maxFile)
	}
	handle, err := c.dir.OpenFile(c.name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = handle.Close() }()
	file, _, err := openfile.Again(handle, c.name, os.O_RDONLY|unix.O_NONBLOCK, func(now fs.FileInfo) error {
		if !os.SameFile(before, now) {
			return errChanged
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX) // other errors: some network file systems have no locks
	}
	return file, nil
}

// read returns the content of the file, unless another program wrote it in the meantime: a file
// that is being written may lack a line for a moment.
func (c *change) read(file *os.File, before fs.FileInfo) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = errChanged
	}
	if err != nil {
		return nil, err
	}
	return content, c.unchanged(before)
}

// usable returns the offset of the first such line that is not commented out, -1 when there
// is none.
func usable(content []byte, line string) int {
	if line == "" || line[0] == '#' {
		return -1
	}
	at := 0
	for text := range bytes.Lines(content) {
		if len(text) <= maxLine && string(bytes.Trim(text, blanks)) == line {
			return at
		}
		at += len(text)
	}
	return -1
}

// blanks are the bytes that may surround a sequence: those of isspace(3), which knockd
// uses.
const blanks = " \t\n\v\f\r"

// replace puts a file with this content in the place of the one that was read, unless
// another file has its name by then.
func (c *change) replace(content []byte, before fs.FileInfo) (err error) {
	// A crash may have left a file behind. The name is ours alone.
	temporary := "." + c.name + ".sesame"
	if err := c.dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.step("create"); err != nil {
		return err
	}
	file, err := c.dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.dir.Remove(temporary) // it was renamed, or is of no use
		}
	}()
	err = cmp.Or(c.write(file, content, before), file.Close())
	if err == nil {
		err = c.step("rename")
	}
	if err == nil {
		err = c.unchanged(before)
	}
	if err == nil {
		err = c.dir.Rename(temporary, c.name)
	}
	if err == nil {
		err = c.step("flush the directory")
	}
	if err == nil {
		err = c.sync()
	}
	return err
}

// write fills a new file, and gives it the mode and owner of the old one.
func (c *change) write(file *os.File, content []byte, before fs.FileInfo) error {
	if err := c.step("write"); err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	owner, _ := before.Sys().(*syscall.Stat_t)
	if err := c.setOwner(file, owner); err != nil {
		return err
	}
	if err := file.Chmod(before.Mode().Perm()); err != nil {
		return err
	}
	if err := c.step("flush"); err != nil {
		return err
	}
	return file.Sync()
}

// setOwner gives a file the owner and group of the old one. It needs no privilege when the
// daemon is the owner already.
func (c *change) setOwner(file *os.File, before *syscall.Stat_t) error {
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

// unchanged returns errChanged when the file is not the one that was read, or was written
// since.
func (c *change) unchanged(before fs.FileInfo) error {
	now, err := c.dir.Lstat(c.name)
	if err != nil {
		return err
	}
	if !os.SameFile(before, now) || !now.ModTime().Equal(before.ModTime()) || now.Size() != before.Size() {
		return errChanged
	}
	return nil
}

// sync writes the directory to disk, so that the rename survives a power cut.
func (c *change) sync() error {
	dir, err := c.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
