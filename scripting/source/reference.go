package source

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// How many referenced files a set may name, and how long each may be.
const (
	maxReferenced      = 100
	maxReferencedBytes = 1 << 20
)

// A ReferencedFile is a file that a script names by its path and that is no
// script: a knockd.conf, or one-time sequences. Each is read once for a set,
// all scripts that name it. When it cannot be read, its SHA256 is that of the reason.
type ReferencedFile struct {
	File
	err   error
	named bool     // by the set that was loaded last
	lines []string // nil until a problem is about one of them
}

// ReadReferenced reads a referenced file, up to one byte more than it may have:
// the loader reports that it is too long.
func ReadReferenced(path string) ([]byte, error) { return readRegular(path, maxReferencedBytes) }

func newReferenced(path string, text []byte, err error) *ReferencedFile {
	if err == nil && len(text) > maxReferencedBytes {
		err = fmt.Errorf("it is longer than %d MiB", maxReferencedBytes>>20)
	}
	if err != nil {
		return &ReferencedFile{File: File{Path: path, SHA256: sha256.Sum256([]byte("error: " + err.Error()))}, err: err}
	}
	return &ReferencedFile{File: File{Path: path, SHA256: sha256.Sum256(text), Source: text}}
}

// readReferenced reads a file that was not read before.
func (f *Files) readReferenced(path string) *ReferencedFile {
	read := f.ReadReferenced
	if read == nil {
		read = func(string) ([]byte, error) { return nil, errors.New("it was not kept with the scripts") }
	}
	text, err := read(path)
	file := newReferenced(path, text, err)
	f.referenced[path] = file
	return file
}

// Reference returns the file that a script names, which is read the first time.
// A relative path begins at [Files.Base]. The error tells the script's author
// what to do; the file is not nil when it alone is at fault.
func (s *Scripts) Reference(name string, oneTime bool) (*ReferencedFile, error) {
	f := s.files
	path := filepath.Clean(name)
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return nil, fmt.Errorf(`%q is no path: expected one such as "/etc/knockd.conf"`, name)
	case !filepath.IsAbs(path) && f.Base == "":
		return nil, fmt.Errorf("%q is a relative path, and it is not known where it begins: write it in full", name)
	case !filepath.IsAbs(path):
		path = filepath.Join(f.Base, path)
	}
	file := f.referenced[path]
	if (file == nil || !file.named) && len(s.Referenced()) >= maxReferenced {
		return nil, fmt.Errorf("%s: scripts name more than %d files: put what belongs together in one", path, maxReferenced)
	}
	if file == nil {
		file = f.readReferenced(path)
	}
	file.named, file.OneTime = true, file.OneTime || oneTime
	if file.err != nil {
		return file, fmt.Errorf("reading %s: %w", path, withoutPath(file.err))
	}
	return file, nil
}

// Referenced returns the absolute paths of the referenced files, sorted. Once
// the set was loaded they are those that it names, also when it failed to load.
func (f *Files) Referenced() []string { return slices.Sorted(maps.Keys(f.referenced)) }

// Line returns the number of the first line that has this text alone; 1 when
// none has.
func (r *ReferencedFile) Line(text string) int {
	return 1 + max(0, slices.IndexFunc(r.split(), func(line string) bool { return strings.TrimSpace(line) == text }))
}

func (r *ReferencedFile) split() []string {
	if r.lines == nil {
		r.lines = strings.Split(string(r.Source), "\n")
	}
	return r.lines
}

// withoutPath returns the cause of an error that would name a path again.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
