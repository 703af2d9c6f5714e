package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sesame/scripting/knockd"
)

// checkDefaults refuses uses of --defaults that name nothing, or standard input twice.
func (f *importFlags) checkDefaults(c *cobra.Command, path string) error {
	for _, name := range f.defaults {
		switch {
		case name == "":
			return &usageError{c, "--defaults: it is empty: expected a file such as /etc/default/knockd, or leave it out"}
		case name == "-" && path == "-":
			return &usageError{c, "--defaults -: standard input is the knockd.conf: name a file for one of the two"}
		}
	}
	return nil
}

// launch reads how this machine starts knockd: the files of --defaults, or else those that are
// beside an etc/knockd.conf. It prints what it read, and the warnings.
func (p *program) launch(f *importFlags, path string) (*knockd.Launch, error) {
	names := f.defaults
	if names == nil {
		names = defaultsBeside(path)
	}
	var files []knockd.DefaultsFile
	for _, name := range names {
		text, err := p.readConf(name, maxDefaults, "a file such as /etc/default/knockd")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s does not exist: name a file that says how knockd is started with --defaults, or leave it out", name)
		case err != nil:
			return nil, err
		}
		if name == "-" {
			name = standardInput
		}
		p.note("%s: read, since it says how knockd is started", name)
		files = append(files, knockd.DefaultsFile{Path: name, Text: text})
	}
	l := knockd.ReadDefaults(files)
	for _, w := range l.Warnings {
		p.warn("%s:%d: %s", w.File, w.Line, w.Text)
	}
	for _, n := range l.Notes {
		p.note("%s:%d: %s", n.File, n.Line, n.Text)
	}
	if other := l.Reads(path); other != "" && path != "-" {
		p.warn("%s:%d: knockd reads %s, and %s was read here: if that is not meant, name the other one, and %s with --defaults",
			l.Config.File, l.Config.Line, other, path, l.Config.File)
	}
	return l, nil
}

// defaultsBeside returns the files that say how knockd is started, when path is /etc/knockd.conf,
// or that of a copy of /etc.
func defaultsBeside(path string) (found []string) {
	whole, err := filepath.Abs(path)
	if err != nil || path == "-" || filepath.Base(whole) != "knockd.conf" || filepath.Base(filepath.Dir(whole)) != "etc" {
		return nil
	}
	for _, place := range knockd.DefaultsPlaces() {
		matches, _ := filepath.Glob(filepath.Join(filepath.Dir(path), place)) // the patterns are well-formed
		for _, match := range matches {
			if info, err := os.Stat(match); err == nil && info.Mode().IsRegular() {
				found = append(found, match)
			}
		}
	}
	return found
}
