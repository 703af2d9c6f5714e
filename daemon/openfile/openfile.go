// Package openfile turns a path that a person wrote into an open file, when it is of an expected
// kind.
//
// To open a file can have an effect by itself: /dev/watchdog reboots the machine some seconds
// later, a pipe without a writer blocks the process, a tape is rewound. So on Linux a path is
// resolved first, without opening what is there. The file is opened when it is known what it is.
package openfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Why a file is not opened. They are wrapped in an [fs.PathError].
var (
	ErrDirectory  = errors.New("it is a directory")
	ErrNotRegular = errors.New("it is no ordinary file")
	// ErrKernel is for a file that the kernel makes up: to read one such as /proc/kmsg may take for
	// ever, also with O_NONBLOCK and a mode of an ordinary file.
	ErrKernel = fmt.Errorf("%w, but one of the kernel, as below /proc and /sys", ErrNotRegular)
)

// Regular opens a regular file for reading, and says what it is. The caller closes it.
//
// Errors are of type [*fs.PathError] and name the path.
func Regular(path string) (*os.File, fs.FileInfo, error) { return open(path, readFlags, regular) }

// RegularBelow is [Regular] for a path below a directory, which no symbolic link leads out of.
// Errors are those of the root, too. It looks first and opens then, without waiting: what
// is there by then must be the same.
func RegularBelow(root *os.Root, path string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := regular(info); err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file, err := root.OpenFile(path, readFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(info, now) {
		return nil, nil, errors.Join(fmt.Errorf("opening %s: it was exchanged meanwhile", path), err, file.Close())
	}
	return file, info, nil
}

// Input opens what a person may give a command to read: a regular file, a pipe, as the shell makes
// one for <(command), or /dev/null. It waits until somebody opens a pipe for writing. The caller
// closes the file.
//
// Errors are as those of [Regular].
func Input(path string) (*os.File, error) {
	file, _, err := open(path, waitFlags, input)
	return file, err
}

// Ready is [Input] for a program that nobody watches: a pipe that nobody writes to is at its end.
func Ready(path string) (*os.File, error) {
	file, _, err := open(path, readFlags, input)
	return file, err
}

func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return ErrDirectory
	case !info.Mode().IsRegular():
		return ErrNotRegular
	}
	return nil
}

func input(info fs.FileInfo) error {
	if info.Mode().Type() == fs.ModeNamedPipe || isNull(info) {
		return nil
	}
	return regular(info)
}
