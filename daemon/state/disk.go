package state

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A disk has the operations on files that matter for a crash. Tests make each of them fail, and
// stop the machine between any two.
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

// replace replaces the file with this name by a new one with this content. After a crash at any
// time the name has the old file or the new one, complete.
//
// A returned file is the new one, and the name refers to it. An error beside it means that the
// directory was not flushed, so that a power cut may bring the old file back.
func (d *Dir) replace(name string, content []byte) (*os.File, error) {
	file, err := d.disk.create(d.root, name+newSuffix)
	if err != nil {
		return nil, fmt.Errorf("writing a new file: %w", err)
	}
	if err = d.disk.write(file, content, 0); err == nil {
		err = d.disk.flush(file)
	}
	if err == nil {
		err = d.disk.rename(d.root, name+newSuffix, name)
	}
	if err != nil {
		// Give back the space of the unfinished file: the disk may be full.
		_ = d.disk.cut(file, 0)
		_ = file.Close()
		return nil, fmt.Errorf("writing a new file: %w", err)
	}
	if err := d.disk.flushDir(d.root); err != nil {
		return file, fmt.Errorf("flushing the directory: %w", err)
	}
	return file, nil
}
