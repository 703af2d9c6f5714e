package scripting

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// An elsewhere is a file outside the directory of the scripts, as it was read.
type elsewhere struct {
	text    []byte
	err     error // why it could not be read
	sum     [sha256.Size]byte
	oneTime bool // known once the set is loaded
}

func newElsewhere(text []byte, err error) elsewhere {
	if err != nil {
		return elsewhere{err: err, sum: sha256.Sum256([]byte("error: " + err.Error()))}
	}
	return elsewhere{text: text, sum: sha256.Sum256(text)}
}

// ReadOutside reads a file that is no script, up to a little more than such a
// file may have: it is for the loader to say what is too long.
func ReadOutside(path string) ([]byte, error) { return readRegular(path, maxOutsideBytes) }

// readAlso reads files that scripts are likely to name.
func (f *Files) readAlso(also []string) {
	for _, path := range also {
		if _, known := f.outside[path]; !known {
			f.outside[path] = newElsewhere(ReadOutside(path))
		}
	}
}

// open gives the loader a file outside, which is read the first time.
func (f *Files) open(path string) ([]byte, error) {
	e, known := f.outside[path]
	switch {
	case known:
	case f.Rest == nil:
		return nil, errors.New("it was not kept with the scripts")
	default:
		e = newElsewhere(f.Rest(path))
		f.outside[path] = e
	}
	return e.text, e.err
}

// settle forgets the files that nothing named, and computes the hash anew.
func (f *Files) settle(named map[string]*outsideFile) {
	maps.DeleteFunc(f.outside, func(path string, _ elsewhere) bool { return named[path] == nil })
	for path, e := range f.outside {
		e.oneTime = named[path].OneTime
		f.outside[path] = e
	}
	f.hash()
}

// A Fingerprint tells whether files are what they were, without holding them.
// The zero one is that of no files.
type Fingerprint struct {
	scripts [sha256.Size]byte
	outside map[string][sha256.Size]byte
}

// Fingerprint returns the fingerprint of a set's files, with those outside that
// its loading named, also when that failed.
func (f *Files) Fingerprint() Fingerprint {
	p := Fingerprint{f.scripts, map[string][sha256.Size]byte{}}
	for path, e := range f.outside {
		p.outside[path] = e.sum
	}
	return p
}

// Outside returns the absolute paths of the files outside the directory of the
// scripts, sorted.
func (p Fingerprint) Outside() []string { return slices.Sorted(maps.Keys(p.outside)) }

// Are reports whether the files are those of a fingerprint: to load them would
// give the same. They must have been read with its [Fingerprint.Outside].
func (f *Files) Are(p Fingerprint) bool {
	if f.scripts != p.scripts {
		return false
	}
	for path, sum := range p.outside {
		if e, known := f.outside[path]; !known || e.sum != sum {
			return false
		}
	}
	return true
}

// Unreadable returns why one of the files cannot be read; nil: all can be.
func (f *Files) Unreadable() error {
	for _, name := range slices.Sorted(maps.Keys(f.failed)) {
		return fmt.Errorf("reading %s: %w", filepath.Join(f.Dir, name), withoutPath(f.failed[name]))
	}
	for _, path := range slices.Sorted(maps.Keys(f.outside)) {
		if err := f.outside[path].err; err != nil {
			return fmt.Errorf("reading %s: %w", path, withoutPath(err))
		}
	}
	return nil
}

// OnlyMarked reports whether nothing differs from files that are loaded but marks
// in their files of one-time sequences. That is how such a file changes when its
// sequences are used, and no news.
func (f *Files) OnlyMarked(loaded *Files) bool {
	if f.scripts != loaded.scripts {
		return false
	}
	for path, was := range loaded.outside {
		is, known := f.outside[path]
		if !known || is.sum != was.sum && !(was.oneTime && was.err == nil && is.err == nil && onlyMarked(was.text, is.text)) {
			return false
		}
	}
	return true
}

// onlyMarked reports whether lines differ in their first byte alone, which is #
// now.
func onlyMarked(was, is []byte) bool {
	if len(was) != len(is) {
		return false
	}
	for i := range was {
		if was[i] != is[i] && !(is[i] == '#' && (i == 0 || was[i-1] == '\n')) {
			return false
		}
	}
	return !bytes.Equal(was, is)
}

// keep takes files that were kept: those with an absolute path are outside.
func (f *Files) keep(kept []File) {
	for _, file := range kept {
		if filepath.IsAbs(file.Path) {
			f.outside[file.Path] = newElsewhere(file.Source, nil)
			continue
		}
		f.texts[file.Path] = mapFile(file.Source)
	}
}

// hashOutside is the part of the hash that files outside have: none when there
// are none.
func (f *Files) hashOutside() []byte {
	var b bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(f.outside)) {
		fmt.Fprintf(&b, "%q %x\n", path, f.outside[path].sum)
	}
	return b.Bytes()
}
