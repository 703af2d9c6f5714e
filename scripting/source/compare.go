package source

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// A Difference is how files differ from those that were loaded.
type Difference int

// The differences, from none to the largest.
const (
	Same     Difference = iota // to load them would give the same set
	Consumed                   // one-time sequences were consumed, and nothing else
	Changed
)

// Compare compares files with loaded ones. They must have been read with the
// [Files.Referenced] of these.
func (f *Files) Compare(loaded *Files) Difference {
	if f.scripts != loaded.scripts {
		return Changed
	}
	difference := Same
	for path, was := range loaded.referenced {
		switch is := f.referenced[path]; {
		case is == nil:
			return Changed
		case is.SHA256 == was.SHA256:
		case was.OneTime && was.err == nil && is.err == nil && onlyCommentedOut(was.Source, is.Source):
			difference = Consumed
		default:
			return Changed
		}
	}
	return difference
}

// onlyCommentedOut reports whether lines differ in their first byte alone,
// which is # now.
func onlyCommentedOut(was, is []byte) bool {
	if len(was) != len(is) {
		return false
	}
	for i := range was {
		if was[i] != is[i] && !(is[i] == '#' && (i == 0 || was[i-1] == '\n')) {
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
	for _, path := range f.Referenced() {
		if err := f.referenced[path].err; err != nil {
			return fmt.Errorf("reading %s: %w", path, withoutPath(err))
		}
	}
	return nil
}
