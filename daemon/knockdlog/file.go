package knockdlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/config"
)

// A file is a file that lines are added to, and that others may rename: after
// reopen it is the one that then has the path.
type file struct {
	path   string
	log    hclog.Logger
	file   atomic.Pointer[os.File]
	warned bool // that lines are lost; Write's
}

func openFile(path string, log hclog.Logger) (*file, error) {
	opened, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, log: log}
	f.file.Store(opened)
	return f, nil
}

// openAppend opens a file to add to it, and makes it if it is not there. It waits
// for nobody to read: a FIFO without a reader is an error.
func openAppend(path string) (*os.File, error) {
	const flags, mode = os.O_WRONLY | os.O_APPEND | unix.O_NONBLOCK | unix.O_NOCTTY, 0o640
	file, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, mode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return os.OpenFile(path, flags|os.O_CREATE, mode)
	case err != nil:
		return nil, err
	}
	// Whatever the umask: a log that its group cannot read is of no use to it.
	if err := file.Chmod(mode); err != nil {
		_ = file.Close() // it is empty
		return nil, err
	}
	return file, nil
}

// openError says why a start cannot go on, and what to do.
func openError(place config.Value, err error) error {
	advice := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "; make its directory first"
	case errors.Is(err, unix.EROFS):
		advice = fmt.Sprintf("; where a unit confines Sesame, add the line ReadWritePaths=%s to it", filepath.Dir(place.Text))
	case errors.Is(err, fs.ErrPermission):
		advice = "; it must belong to the user that Sesame runs as"
	}
	return fmt.Errorf("%s: log.knockd: %w%s", place.From, err, advice)
}

// Write adds to the file. It may go on while others reopen it.
func (f *file) Write(b []byte) (int, error) {
	for {
		file := f.file.Load()
		n, err := file.Write(b)
		if errors.Is(err, os.ErrClosed) && f.file.Load() != file {
			continue
		}
		if err != nil && !f.warned {
			f.log.Warn("lines for those who read knockd's log are lost", "error", err)
		}
		f.warned = err != nil
		return n, err
	}
}

// reopen goes on with the file that has the path now. Until there is one, lines
// go on to the old one.
func (f *file) reopen() error {
	file, err := openAppend(f.path)
	if err != nil {
		return err
	}
	return f.file.Swap(file).Close()
}

// Close ends it.
func (f *file) Close() error { return f.file.Load().Close() }
