package source

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sesame/scripting/zone"
)

// How long a referenced file may be, in bytes. What the file is for decides: a
// list of networks is a large file, everything else a small one.
const (
	SmallFile = 1 << 20
	LargeFile = 64 << 20
)

// How many referenced files a set may name, and how many bytes they may have
// together.
const (
	maxReferenced      = 100
	maxReferencedBytes = 128 << 20
)

// A ReferencedFile is a file that a script names by its path and that is no
// script: a knockd.conf, one-time sequences, a list. Each is read once for a set,
// all scripts that name it. When it cannot be read, its SHA256 is that of the reason.
type ReferencedFile struct {
	File
	// Warning is why the bytes of a zone file are not those of the machine, though
	// the machine has such a file; "" otherwise.
	Warning string

	err    error
	named  bool              // by the set that was loaded last
	parsed map[string]parsed // by what parsed it
}

// parsed is what a parser made of the text of a file.
type parsed struct {
	value any
	err   error
}

// ReadReferenced reads a referenced file, up to one byte more than the longest
// may have. What a file is for is not known before scripts name it, so the
// loader checks the length.
func ReadReferenced(path string) ([]byte, error) { return readRegular(path, LargeFile) }

func newReferenced(path string, text []byte, err error) *ReferencedFile {
	if err != nil {
		return &ReferencedFile{File: File{Path: path, SHA256: sha256.Sum256([]byte("error: " + err.Error()))}, err: err}
	}
	return &ReferencedFile{File: File{Path: path, SHA256: sha256.Sum256(text), Source: text}}
}

// readReferenced reads a file that was not read before.
func (f *Files) readReferenced(path string) *ReferencedFile {
	if name, ok := zone.Name(path); ok {
		return f.readZone(path, name)
	}
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
// A relative path begins at [Files.Base]. A file of more than limit bytes is
// refused, [SmallFile] or [LargeFile]. The error tells the script's author what
// to do; the file is not nil when it alone is at fault.
func (s *Scripts) Reference(name string, limit int, oneTime bool) (*ReferencedFile, error) {
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
	if (file == nil || !file.named) && s.referenced() >= maxReferenced {
		return nil, fmt.Errorf("%s: scripts name more than %d files: put what belongs together in one", path, maxReferenced)
	}
	if file == nil {
		file = f.readReferenced(path)
	}
	file.named, file.OneTime = true, file.OneTime || oneTime
	switch {
	case file.err != nil:
		return file, fmt.Errorf("reading %s: %w", path, withoutPath(file.err))
	case len(file.Source) > limit:
		return file, fmt.Errorf("reading %s: it is longer than %d MiB", path, limit>>20)
	case s.referencedBytes() > maxReferencedBytes:
		return file, fmt.Errorf("reading %s: scripts name files of more than %d MiB together", path, maxReferencedBytes>>20)
	}
	return file, nil
}

// referencedBytes returns how many bytes the files have that scripts named.
func (s *Scripts) referencedBytes() int {
	n := 0
	for _, file := range s.files.referenced {
		if file.named {
			n += len(file.Source)
		}
	}
	return n
}

// Parsed returns what parse makes of the text of the file. It runs once for all
// with the same key, also in later sets: see [Files.Reuse]. So nobody may change
// the result.
func (r *ReferencedFile) Parsed(key string, parse func(text []byte) (any, error)) (any, error) {
	result, known := r.parsed[key]
	if !known {
		result.value, result.err = parse(r.Source)
		if r.parsed == nil {
			r.parsed = map[string]parsed{}
		}
		r.parsed[key] = result
	}
	return result.value, result.err
}

// Reuse takes the texts of referenced files that did not change, and what was
// parsed of them, from files that were loaded, and the scripts that were compiled
// of theirs. So a long list or a module of data is in memory once, and it is read
// again only when it changed.
func (f *Files) Reuse(loaded *Files) {
	for path, file := range f.referenced {
		if was := loaded.referenced[path]; was != nil && was.SHA256 == file.SHA256 {
			file.Source, file.parsed = was.Source, maps.Clone(was.parsed)
		}
	}
	f.compiled.reuse(loaded.compiled, f.texts)
}

// Referenced returns the absolute paths of the referenced files, sorted. Once
// the set was loaded they are those that it names, also when it failed to load.
func (f *Files) Referenced() []string { return slices.Sorted(maps.Keys(f.referenced)) }

// Line returns the number of the first line that has this text alone; 1 when
// none has.
func (r *ReferencedFile) Line(text string) int {
	return 1 + max(0, slices.IndexFunc(r.split(), func(line string) bool { return strings.TrimSpace(line) == text }))
}

func (r *ReferencedFile) split() []string { return strings.Split(string(r.Source), "\n") }

// line returns the text of a line, counted from 1. It is "" when there is none.
// A list may have a million lines, so they are not split for one of them.
func (r *ReferencedFile) line(number int) string {
	rest := r.Source
	for ; number > 1; number-- {
		_, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return ""
		}
		rest = after
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(line)
}

// withoutPath returns the cause of an error that would name a path again.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
