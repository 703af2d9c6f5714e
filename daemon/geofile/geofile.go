// Package geofile turns paths into databases about addresses, and follows the files while a daemon
// runs.
//
// A file is read into memory as a whole. It is never mapped: a mapped file that somebody truncates
// ends the process with SIGBUS.
package geofile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"sesame/daemon/geo"
	"sesame/daemon/openfile"
)

// Old is the age at which a database should be replaced. Those who make them publish a new one
// twice a week to once a month, and addresses move.
const Old = 60 * 24 * time.Hour

// Read reads and verifies the database at path. The error names the path. A file that changes while
// it is read is an error: half of it would be of another version.
func Read(path string) (*geo.Database, error) {
	text, _, err := readFile(path, geo.MaxTotal)
	if err != nil {
		return nil, err
	}
	return geo.Read(path, text)
}

// A stamp tells two versions of a file apart without reading them. The zero stamp is that of a file
// that is not there.
type stamp struct{ info fs.FileInfo }

// stampOf returns the stamp of what a path leads to.
func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	return stamp{info}, err
}

// same reports whether two stamps are of one version.
func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime())
}

// errNoRoom is the error of a file that is right by itself.
var errNoRoom = errors.New("all databases together may have")

// readFile reads a regular file of at most [geo.MaxSize] bytes, and of at most room bytes. One that
// cannot be a database is refused before it is read: it may be larger than the memory.
func readFile(path string, room int64) ([]byte, stamp, error) {
	file, info, err := openfile.Regular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, stamp{}, fmt.Errorf("%s does not exist", path)
	case errors.Is(err, openfile.ErrDirectory), errors.Is(err, openfile.ErrNotRegular):
		before, _ := stampOf(path)
		return nil, before, fmt.Errorf("%s is no ordinary file: expected a database such as GeoLite2-Country.mmdb", path)
	case err != nil:
		before, _ := stampOf(path)
		return nil, before, err
	}
	before := stamp{info}
	defer func() { _ = file.Close() }() // it was only read
	size := before.info.Size()
	if err := checkEnds(file, size); err != nil {
		return nil, before, fmt.Errorf("%s: %w", path, err)
	}
	if size > room {
		return nil, before, fmt.Errorf("%s has %d MiB, and %w %d MiB: name fewer or smaller ones in geo.databases of sesame.toml",
			path, size>>20, errNoRoom, geo.MaxTotal>>20)
	}
	// It may grow while it is read, so the size is no bound.
	text, err := appendAll(make([]byte, 0, size+1), io.LimitReader(file, size+1))
	if after, _ := stampOf(path); err == nil && !before.same(after) {
		err = fmt.Errorf("%s changed while it was read", path)
	}
	return text, before, err
}

// checkEnds reads both ends of a file of this size, and nothing else.
func checkEnds(file io.ReaderAt, size int64) error {
	head, err := readAt(file, 0, min(size, geo.HeadSize))
	if err != nil {
		return err
	}
	tail, err := readAt(file, max(size-geo.TailSize, 0), min(size, geo.TailSize))
	if err != nil {
		return err
	}
	return geo.CheckEnds(size, head, tail)
}

// readAt reads n bytes that begin at offset, or fewer when the file ends before.
func readAt(file io.ReaderAt, offset, n int64) ([]byte, error) {
	text := make([]byte, n)
	read, err := file.ReadAt(text, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text[:read], err
}

// appendAll appends what a reader has. The capacity is used up before the text is copied.
func appendAll(text []byte, r io.Reader) ([]byte, error) {
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
