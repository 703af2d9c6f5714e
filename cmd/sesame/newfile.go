package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"sesame/daemon/transcript"
)

// A newFile is a file that a command writes. Without force it replaces none.
type newFile struct {
	name  string
	force bool
}

// free checks whether the file can be made, before the work for it begins.
func (f newFile) free() error {
	file, err := os.Lstat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Dir(f.name))
		return f.cannot(err)
	case err != nil:
		return err
	case !file.Mode().IsRegular():
		return fmt.Errorf("%s is there, and no ordinary file: name another", f.name)
	case !f.force:
		return fmt.Errorf("%s is there already: name another file, or replace it with --force", f.name)
	}
	return nil
}

// cannot returns the error about a file that cannot be made, nil for nil. Nobody asked for the name
// of a temporary file, or of a directory.
func (f newFile) cannot(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", f.name, err)
	}
	return nil
}

// write writes to a temporary file of mode 0600 and names it when it is complete, so that no part
// of it can be taken for the whole. It returns the size.
func (f newFile) write(write func(io.Writer) error) (size int, err error) {
	aside, err := os.CreateTemp(filepath.Dir(f.name), "."+filepath.Base(f.name)+".*")
	if err != nil {
		return 0, f.cannot(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(aside.Name()))
		}
	}()
	if err := write(aside); err != nil {
		return 0, errors.Join(err, aside.Close())
	}
	end, err := aside.Seek(0, io.SeekCurrent)
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return 0, err
	}
	if err := f.free(); err != nil { // it took a while
		return 0, err
	}
	return int(end), os.Rename(aside.Name(), f.name)
}

// size formats a number of bytes.
func size(n int) string {
	switch {
	case n < 1<<10:
		return transcript.Count(n, "byte")
	case n < 1<<20:
		return strconv.Itoa(n>>10) + " KiB"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
