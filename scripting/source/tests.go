package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// testSuffix ends the names of files with tests. They stand beside the scripts.
const testSuffix = "_test.lua"

// Tested returns the script that a file of tests is called after. False: it is no such file.
func Tested(test string) (script string, ok bool) {
	name, ok := strings.CutSuffix(test, testSuffix)
	return name + ".lua", ok
}

// testOf is the opposite of [Tested].
func testOf(script string) string { return strings.TrimSuffix(script, ".lua") + testSuffix }

// IsTest reports whether a file of this name has tests.
func IsTest(name string) bool { return strings.HasSuffix(name, testSuffix) }

// TestNames returns the files of tests, in the order of their names: those of the top level, or
// the one beside the single script.
func (f *Files) TestNames() []string {
	return slices.DeleteFunc(f.top(), func(name string) bool {
		return !IsTest(name) || f.Single != "" && name != testOf(f.Single)
	})
}

// TestPaths returns the paths of the files of tests in a directory of scripts, or of the one beside
// a script, without reading them. It is empty when the directory cannot be read.
func TestPaths(scripts string) (paths []string) {
	dir, names := scripts, IsTest
	if info, err := os.Stat(scripts); err == nil && !info.IsDir() {
		dir, names = filepath.Dir(scripts), func(name string) bool { return name == testOf(filepath.Base(scripts)) }
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, entry := range entries[:min(len(entries), maxFiles)] {
		if names(entry.Name()) {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths
}

// Tests begins to load the files of tests. They see the modules. The files stay as they are: what
// the tests name, such as a time zone, does not belong to the set, and they can be read while no
// set is loaded.
func (f *Files) Tests() *Scripts {
	own := *f
	own.ReadReferenced = nil
	own.referenced = map[string]*ReferencedFile{}
	for path, file := range f.referenced {
		if file.Zone { // the set and its tests have the same rules of time zones
			copied := *file
			own.referenced[path] = &copied
		}
	}
	return own.Scripts()
}
