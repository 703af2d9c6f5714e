package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// Bounds of the search for files of tests that never run. The directory may be that of a whole
// repository.
const (
	strayDepth   = 4
	strayEntries = 10_000
	strayNamed   = 4
)

// noteStrays names files of tests that never run: those that are not beside the scripts, and those
// that declare no test. Whoever wrote them believes that they run.
func (p *program) noteStrays(files *source.Files, names []string, tests []*spec.Test) {
	if len(names) == 0 {
		names = files.TestNames()
		if files.Single == "" {
			p.noteBelow(files.Dir)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(tests, func(t *spec.Test) bool { return t.File == name }) {
			p.warn("%s has no test: expected calls such as sesame.test \"opens\" { { knock = \"ssh\", opens = \"ssh\" } }", filepath.Join(files.Dir, name))
		}
	}
}

// noteBelow names files of tests in directories below.
func (p *program) noteBelow(dir string) {
	found := testsBelow(dir)
	if len(found) == 0 {
		return
	}
	more := ""
	if n := len(found) - strayNamed; n > 0 {
		found, more = found[:strayNamed], fmt.Sprintf(" and %d more", n)
	}
	p.warn("not run: %s%s: tests stand beside the scripts, in no directory below; move them, or name their directory with -s", strings.Join(found, ", "), more)
}

// testsBelow returns the paths of files of tests below a directory, without those in it and those
// of other scripts. Modules are no scripts, and no test stands beside them.
func testsBelow(dir string) (found []string) {
	looked := 0
	dir += string(filepath.Separator) // a walk does not follow a symbolic link at its root
	// An error means that no more can be seen. The tests that run do not depend on it.
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		looked++
		relative, _ := filepath.Rel(dir, path)
		depth := strings.Count(relative, string(filepath.Separator))
		switch {
		case looked > strayEntries:
			return fs.SkipAll
		case err != nil:
			return fs.SkipDir
		case entry.IsDir() && path != dir && (strings.HasPrefix(entry.Name(), ".") || depth >= strayDepth):
			return fs.SkipDir
		case depth > 0 && entry.Type().IsRegular() && source.IsTest(entry.Name()) && !besideScript(relative, path):
			found = append(found, path)
		}
		return nil
	})
	return found
}

// besideScript reports whether a file of tests below the scripts has the script beside it that it
// is called after: then both belong to a directory of scripts of its own.
func besideScript(relative, path string) bool {
	script, _ := source.Tested(path)
	info, err := os.Lstat(script)
	return err == nil && info.Mode().IsRegular() && !strings.HasPrefix(relative, "lib"+string(filepath.Separator))
}
