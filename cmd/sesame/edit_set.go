//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"sesame/scripting/source"
)

// An editedSet is the scripts that are edited together: a script and its tests are two files.
type editedSet struct {
	dir   string // of the copies, which only this user can read
	files []*editedFile
}

// openEdits makes copies of scripts.
func openEdits(files *source.Files, names []string) (*editedSet, error) {
	dir, err := os.MkdirTemp("", "sesame-edit-") // of mode 0700
	if err != nil {
		return nil, fmt.Errorf("making a copy: %w", err)
	}
	s := &editedSet{dir: dir}
	for _, name := range names {
		if err := s.add(files, name); err != nil {
			return nil, errors.Join(err, s.forget())
		}
	}
	return s, nil
}

// add adds a script. One that is there already stays as it is.
func (s *editedSet) add(files *source.Files, name string) error {
	f, err := editedName(files, name)
	if err != nil || s.has(f) {
		return err
	}
	file, err := openEdited(files, s.dir, name)
	if err == nil {
		s.files = append(s.files, file)
	}
	return err
}

func (s *editedSet) has(name string) bool {
	return slices.ContainsFunc(s.files, func(f *editedFile) bool { return f.name == name })
}

// copies returns the paths of the copies, and the names of the scripts.
func (s *editedSet) copies() (paths, names []string) {
	for _, f := range s.files {
		paths, names = append(paths, f.copy), append(names, f.name)
	}
	return paths, names
}

// read reads the copies when the editor has ended.
func (s *editedSet) read() (err error) {
	for _, f := range s.files {
		if f.text, err = os.ReadFile(f.copy); err != nil {
			return fmt.Errorf("reading the edit: %w", err)
		}
	}
	return nil
}

// changed returns the scripts that the edit changes.
func (s *editedSet) changed() (list []*editedFile) {
	for _, f := range s.files {
		if f.changes() {
			list = append(list, f)
		}
	}
	return list
}

// testsAlone reports whether the edit changes no script or module. It changes no door then.
func (s *editedSet) testsAlone() bool {
	return !slices.ContainsFunc(s.changed(), func(f *editedFile) bool { return !source.IsTest(f.name) })
}

// write replaces the scripts that the edit changes, or none when somebody else changed one: these
// are returned.
func (s *editedSet) write() (meanwhile []*editedFile, err error) {
	for _, f := range s.files {
		changed, err := f.meanwhile()
		if err != nil {
			return nil, err
		}
		if changed {
			meanwhile = append(meanwhile, f)
		}
	}
	if meanwhile != nil {
		return meanwhile, nil
	}
	var written []*editedFile
	for _, f := range s.changed() {
		if err := f.write(); err != nil {
			return nil, errors.Join(err, undo(written))
		}
		written = append(written, f)
	}
	return nil, nil
}

// undo makes scripts what they were before the last write.
func undo(written []*editedFile) (err error) {
	for _, f := range written {
		err = errors.Join(err, f.undo())
	}
	return err
}

// kept returns the copies that have a text which their script does not have.
func (s *editedSet) kept() (paths []string) {
	for _, f := range s.files {
		text, err := os.ReadFile(f.copy)
		if err == nil && !bytes.Equal(text, f.before) {
			paths = append(paths, f.copy)
		}
	}
	return paths
}

// forget removes the copies.
func (s *editedSet) forget() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing the copy: %w", err)
	}
	return nil
}

// paths names scripts for people.
func pathsOf(files []*editedFile) string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.path)
	}
	return strings.Join(paths, " and ")
}
