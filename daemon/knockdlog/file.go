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
	"sesame/daemon/openfile"
)

// A file appends lines to a path. Another program may rename the file; reopen then continues
// with the file that has the path.
type file struct {
	path string
	log  hclog.Logger
	file atomic.Pointer[os.File]
	lost failure // of the last line
	anew failure // of the last reopen
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

// fileMode is that of a new file, whatever the umask of a unit is: the group must be able to read
// the log.
const fileMode = 0o640

// openAppend opens a file for appending and creates it if it is missing. It does not wait for
// a reader: a FIFO without one is an error. It opens no device but a terminal and /dev/null.
func openAppend(path string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | unix.O_NONBLOCK | unix.O_NOCTTY
	file, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, fileMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return openfile.Append(path)
	case err != nil:
		return nil, err
	}
	if err := file.Chmod(fileMode); err != nil {
		_ = file.Close() // it is empty
		return nil, err
	}
	return file, nil
}

// openError returns the error of a start that cannot open its log, with the remedy.
func openError(place config.Value, err error) error {
	advice := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "; make its directory first"
	case errors.Is(err, unix.EROFS):
		advice = fmt.Sprintf("; where a unit confines Sesame, add the line ReadWritePaths=%s to it", filepath.Dir(place.Text))
	case errors.Is(err, fs.ErrPermission):
		advice = notOurs
	}
	return fmt.Errorf("%s: log.knockd: %w%s", place.From, err, advice)
}

// notOurs is what to do about a file that the daemon may not write. As another user than root it
// cannot make one in /var/log, and logrotate makes one of root's unless it is told whose it is.
const notOurs = "; it must belong to the user that Sesame runs as (in logrotate: create 640 sesame adm), or be in a directory of that user"

// Write appends to the file. Other goroutines may call reopen in the meantime.
func (f *file) Write(b []byte) (int, error) {
	for {
		file := f.file.Load()
		n, err := file.Write(b)
		if errors.Is(err, os.ErrClosed) && f.file.Load() != file {
			continue
		}
		if f.lost.set(err) {
			f.log.Warn("lines for those who read knockd's log are lost", "error", err)
		}
		return n, err
	}
}

// reopen continues with the file that has the path now. When it cannot be opened, lines go to
// the old one.
func (f *file) reopen() error {
	file, err := openAppend(f.path)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w%s", err, notOurs)
	}
	f.anew.set(err)
	if err != nil {
		return err
	}
	return f.file.Swap(file).Close()
}

// Close closes the file.
func (f *file) Close() error { return f.file.Load().Close() }
