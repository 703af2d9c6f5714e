package state

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A disk is what is asked of the file system: each of its functions is a step
// between two of which a machine may stop, and each may fail.
type disk struct {
	create   func(root *os.Root, name string) (*os.File, error) // empty, whatever was there
	write    func(f *os.File, b []byte, offset int64) error
	cut      func(f *os.File, size int64) error
	flush    func(f *os.File) error // what was written, and how long the file is
	rename   func(root *os.Root, from, to string) error
	flushDir func(root *os.Root) error // which names there are
}

func realDisk() disk {
	return disk{
		create: func(root *os.Root, name string) (*os.File, error) {
			return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		},
		write: func(f *os.File, b []byte, offset int64) error {
			_, err := f.WriteAt(b, offset)
			return err
		},
		cut: (*os.File).Truncate,
		flush: func(f *os.File) error {
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		},
		rename: (*os.Root).Rename,
		flushDir: func(root *os.Root) error {
			dir, err := root.Open(".")
			if err != nil {
				return err
			}
			defer dir.Close()
			return dir.Sync()
		},
	}
}

// replace puts a file with this content in the place of the one with that name.
// A crash at any time leaves one of the two, whole. When it returns a file, the
// name means that file now; with an error beside it, a power cut may bring the
// old one back.
func (d *Dir) replace(name string, content []byte) (*os.File, error) {
	file, err := d.disk.create(d.root, name+aside)
	if err != nil {
		return nil, fmt.Errorf("writing a new file: %w", err)
	}
	if err = d.disk.write(file, content, 0); err == nil {
		err = d.disk.flush(file)
	}
	if err == nil {
		err = d.disk.rename(d.root, name+aside, name)
	}
	if err != nil {
		// The file that failed may hold space that the disk has none of.
		_ = d.disk.cut(file, 0)
		_ = file.Close()
		return nil, fmt.Errorf("writing a new file: %w", err)
	}
	if err := d.disk.flushDir(d.root); err != nil {
		return file, fmt.Errorf("flushing the directory: %w", err)
	}
	return file, nil
}
