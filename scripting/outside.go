package scripting

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// How much a set may read outside the directory of its scripts.
const (
	maxOutside      = 100
	maxOutsideBytes = 1 << 20 // of each file
)

// outside holds the files that scripts name by their path: a knockd.conf, or a
// file of one-time sequences. Each is read once for a set, whoever names it.
type outside struct {
	base  string                            // that relative paths begin at, absolute
	read  func(path string) ([]byte, error) // nil: there is nothing that reads, or all was read
	files map[string]*outsideFile           // by absolute path
	lines map[string][]string               // of those that problems are about
}

type outsideFile struct {
	File
	err error // why it could not be read
}

// get returns a file that a script names. The error says what to do.
func (o *outside) get(name string, oneTime bool) (*outsideFile, error) {
	path := filepath.Clean(name)
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return nil, fmt.Errorf(`%q is no path: expected one such as "/etc/knockd.conf"`, name)
	case !filepath.IsAbs(path) && o.base == "":
		return nil, fmt.Errorf("%q is a relative path, and it is not known where it begins: write it in full", name)
	case !filepath.IsAbs(path):
		path = filepath.Join(o.base, path)
	}
	f := o.files[path]
	if f == nil {
		f = o.load(path)
		o.files[path] = f
	}
	f.OneTime = f.OneTime || oneTime
	return f, f.err
}

func (o *outside) load(path string) *outsideFile {
	f := &outsideFile{File: File{Path: path}}
	switch {
	case o.read == nil:
		f.err = fmt.Errorf("%s: nothing reads files outside the scripts here", path)
		return f
	case len(o.files) >= maxOutside:
		f.err = fmt.Errorf("%s: scripts name more than %d files: put what belongs together in one", path, maxOutside)
		return f
	}
	text, err := o.read(path)
	if err == nil && len(text) > maxOutsideBytes {
		err = fmt.Errorf("it is longer than %d MiB", maxOutsideBytes>>20)
	}
	if err != nil {
		f.err = fmt.Errorf("reading %s: %w", path, withoutPath(err))
		return f
	}
	f.Source, f.SHA256 = text, sha256.Sum256(text)
	return f
}

// withoutPath returns the cause of an error that would name a path again.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// text returns what the file holds; nothing when there is none.
func (f *outsideFile) text() []byte {
	if f == nil {
		return nil
	}
	return f.Source
}

// problem returns a problem of a file that was read, with its line.
func (o *outside) problem(at Place, message string) *Problem {
	p := &Problem{File: at.File, Line: at.Line, Message: message}
	if lines := o.linesOf(at.File); at.Line > 0 && at.Line <= len(lines) {
		p.SourceLine = strings.TrimRight(lines[at.Line-1], "\r")
	}
	return p
}

// find returns the first line of a file that has this text alone; 1 when none has.
func (o *outside) find(path, text string) int {
	return 1 + max(0, slices.IndexFunc(o.linesOf(path), func(line string) bool { return strings.TrimSpace(line) == text }))
}

func (o *outside) linesOf(path string) []string {
	if o.lines[path] == nil {
		o.lines[path] = strings.Split(string(o.files[path].text()), "\n")
	}
	return o.lines[path]
}
