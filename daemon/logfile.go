package daemon

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

// A logFile is a file that lines are added to, and that others may rename: after
// reopen it is the one that then has the path.
type logFile struct {
	path   string
	log    hclog.Logger
	file   atomic.Pointer[os.File]
	warned bool // that lines are lost; Write's
}

func openLogFile(path string, log hclog.Logger) (*logFile, error) {
	file, err := openToAdd(path)
	if err != nil {
		return nil, err
	}
	f := &logFile{path: path, log: log}
	f.file.Store(file)
	return f, nil
}

// openToAdd opens a file to add to it, and makes it if it is not there. It waits
// for nobody to read: a FIFO without a reader is an error.
func openToAdd(path string) (*os.File, error) {
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

// unopened says why a start cannot go on, and what to do.
func unopened(place config.Value, err error) error {
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
func (f *logFile) Write(b []byte) (int, error) {
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
func (f *logFile) reopen() error {
	file, err := openToAdd(f.path)
	if err != nil {
		return err
	}
	return f.file.Swap(file).Close()
}

// Close ends it.
func (f *logFile) Close() error { return f.file.Load().Close() }
