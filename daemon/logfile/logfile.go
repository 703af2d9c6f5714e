// Package logfile turns lines into a file that another program, such as logrotate, may move away.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sesame/daemon/openfile"
)

// NotOurs is what to do about a file that the daemon may not write. As another user than root it
// cannot make one in /var/log, and logrotate makes one of root's unless it is told whose it is.
const NotOurs = "; it must belong to the user that Sesame runs as (in logrotate: create 640 sesame adm), or be in a directory of that user"

// A File appends lines to a path. Another program may rename the file; Reopen then continues with
// the file that has the path.
type File struct {
	path string
	mode fs.FileMode
	told func(error)
	file atomic.Pointer[os.File]
	lost Failure // of the last line
	anew Failure // of the last Reopen
}

// Open opens a file for appending, and makes it with this mode if it is missing. When lines begin
// to be lost, told is called.
func Open(path string, mode fs.FileMode, told func(error)) (*File, error) {
	opened, err := OpenAppend(path, mode)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, mode: mode, told: told}
	f.file.Store(opened)
	return f, nil
}

// OpenAppend opens a file for appending, and makes it if it is missing. It does not wait for a
// reader: a FIFO without one is an error. It opens no device but a terminal and /dev/null. A new
// file has its mode whatever the umask of a unit is.
func OpenAppend(path string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | unix.O_NONBLOCK | unix.O_NOCTTY
	file, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, mode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return openfile.Append(path)
	case err != nil:
		return nil, err
	}
	if err := file.Chmod(mode); err != nil {
		_ = file.Close() // it is empty
		return nil, err
	}
	return file, nil
}

// Path returns the path of the file.
func (f *File) Path() string { return f.path }

// Write appends to the file. Other goroutines may call Reopen in the meantime.
func (f *File) Write(b []byte) (int, error) {
	for {
		file := f.file.Load()
		n, err := file.Write(b)
		if errors.Is(err, os.ErrClosed) && f.file.Load() != file {
			continue
		}
		if f.lost.Set(err) {
			f.told(err)
		}
		return n, err
	}
}

// Reopen continues with the file that has the path now. When it cannot be opened, lines go to the
// old one.
func (f *File) Reopen() error {
	file, err := OpenAppend(f.path, f.mode)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w%s", err, NotOurs)
	}
	f.anew.Set(err)
	if err != nil {
		return err
	}
	return f.file.Swap(file).Close()
}

// Failure returns why the last line could not be written, or the file not be opened anew; "": all
// is well. It may be called from any goroutine.
func (f *File) Failure() string { return Joined(f.lost.String(), f.anew.String()) }

// Close closes the file.
func (f *File) Close() error { return f.file.Load().Close() }

// Joined joins failures, of which each may be empty.
func Joined(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(text string) bool { return text == "" }), "; ")
}

// A Failure is the error of the last try; the zero value: it succeeded. Its methods may be called
// from any goroutine.
type Failure struct{ text atomic.Value }

// Set notes the result of a try. It reports whether it is the first failure after a success.
func (f *Failure) Set(err error) (began bool) {
	before := f.String()
	if err == nil {
		f.text.Store("")
		return false
	}
	f.text.Store(err.Error())
	return before == ""
}

func (f *Failure) String() string {
	text, _ := f.text.Load().(string)
	return text
}
