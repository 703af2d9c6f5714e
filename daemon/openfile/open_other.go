//go:build !linux

package openfile

import (
	"io/fs"
	"os"
	"syscall"
)

const (
	readFlags = os.O_RDONLY | syscall.O_NONBLOCK
	waitFlags = os.O_RDONLY
)

// open looks at what a path leads to, and opens it if its kind is allowed.
func open(path string, flags int, allowed func(fs.FileInfo) error) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := allowed(info); err != nil {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, nil, err
	}
	return file, info, nil
}

func isNull(info fs.FileInfo) bool {
	return info.Name() == "null" && info.Mode()&fs.ModeCharDevice != 0
}
