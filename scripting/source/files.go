package source

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sesame/scripting/sandbox"
)

// How much a directory of scripts may hold, tests and modules counted.
const (
	maxFiles = 1000
	maxBytes = 64 << 20
	// MaxModuleDepth is how deep modules may lie, lib itself being 1.
	MaxModuleDepth = 8
)

// A File is a script, a module or a referenced file, as it was read.
type File struct {
	Path   string // below the directory of the scripts, with slashes; of a referenced file, absolute
	SHA256 [sha256.Size]byte
	Source []byte
	// OneTime is set for a referenced file of one-time sequences. A copy of it
	// is out of date when one of them is consumed.
	OneTime bool
	// Zone is set for the file of a time zone.
	Zone bool
}

// Referenced reports whether the file is neither a script nor a module.
func (f File) Referenced() bool { return filepath.IsAbs(f.Path) }

// Files are all that a script set can consist of, read once. They change only
// while the set is loaded, when scripts name referenced files that were not
// read yet. They are not safe for use by several goroutines.
type Files struct {
	Dir    string // the directory of the scripts, for messages
	Single string // the one script to load; empty: all of the directory
	// Sum is the hash of all files. Once the set was loaded, it has no
	// referenced file that the set does not name.
	Sum [sha256.Size]byte
	// Base is where relative paths in scripts begin, an absolute path.
	Base string
	// ReadReferenced reads a referenced file that was not read yet, by its
	// absolute path. When it is nil, naming such a file is a problem.
	ReadReferenced func(path string) ([]byte, error)

	texts      map[string][]byte
	failed     map[string]error // of texts, those that could not be read, and are empty
	bytes      int
	scripts    [sha256.Size]byte // of texts and failed
	referenced map[string]*ReferencedFile
	compiled   *compiled
	zones      string // the directory of the machine's zone files; "": the machine is not looked at
}

func newFiles(dir, single string) *Files {
	return &Files{Dir: dir, Single: single, texts: map[string][]byte{}, failed: map[string]error{}, referenced: map[string]*ReferencedFile{},
		compiled: &compiled{scripts: map[string]*Script{}}}
}

// Names returns the scripts to load, in the order of their names: the single
// one, or each *.lua of the top level, except tests (*_test.lua) and names that
// begin with a dot.
func (f *Files) Names() ([]string, error) {
	if script, isTest := Tested(f.Single); isTest {
		return nil, fmt.Errorf("%s has tests, and is no script: name %s, or the directory", f.Single, script)
	}
	if f.Single != "" {
		return []string{f.Single}, nil
	}
	names := slices.DeleteFunc(f.top(), IsTest)
	if len(names) > 0 {
		return names, nil
	}
	if tests := f.TestNames(); len(tests) > 0 {
		return nil, fmt.Errorf("no scripts in %s, only tests such as %s: put the scripts that they test beside them", f.Dir, tests[0])
	}
	return nil, fmt.Errorf("no scripts in %s: expected files that end in .lua at its top level", f.Dir)
}

// top returns the files of the top level, in the order of their names, without those whose name
// begins with a dot.
func (f *Files) top() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		if strings.HasSuffix(name, ".lua") && !strings.ContainsRune(name, '/') && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// Paths returns the paths of all files that were read: scripts, modules and tests, below the
// directory of the scripts, and then the absolute paths of referenced files.
func (f *Files) Paths() []string {
	return append(slices.Sorted(maps.Keys(f.texts)), f.Referenced()...)
}

// text returns the text of a script or module. The error is fs.ErrNotExist when
// there is none. A path that leaves the directory, which only a stored set can
// have, is refused.
func (f *Files) text(name string) ([]byte, error) {
	text, found := f.texts[name]
	kind := "script"
	if strings.HasPrefix(name, "lib/") {
		kind = "module of data"
	}
	switch err := f.failed[name]; {
	case err != nil:
		return nil, fmt.Errorf("reading it: %w", err)
	case !fs.ValidPath(name):
		return nil, fmt.Errorf("reading it: %w", &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid})
	case !found:
		return nil, fmt.Errorf("reading it: %w", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	case len(text) > longest(name):
		return nil, fmt.Errorf("it is longer than %d MiB, the longest %s", longest(name)>>20, kind)
	}
	return text, nil
}

// longest returns how many bytes a script or module may have. Whether a module is one of data, and
// may have as many, shows only when it is compiled.
func longest(name string) int {
	if strings.HasPrefix(name, "lib/") {
		return sandbox.MaxData
	}
	return sandbox.MaxSource
}

// hash computes the hashes. A set without referenced files has that of its
// scripts.
func (f *Files) hash() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		fmt.Fprintf(sum, "%q %x %v\n", name, sha256.Sum256(f.texts[name]), f.failed[name])
	}
	sum.Sum(f.scripts[:0])
	for _, path := range f.Referenced() {
		fmt.Fprintf(sum, "%q %x\n", path, f.referenced[path].SHA256)
	}
	sum.Sum(f.Sum[:0])
}

// Put gives a script, a module or a test another text than it has on the disk, or adds one. It is
// for files that were not loaded yet.
func (f *Files) Put(name string, text []byte) {
	f.bytes += len(text) - len(f.texts[name])
	f.texts[name] = text
	delete(f.failed, name)
	f.hash()
}

// Clone returns files of which a set can be loaded while another is loaded from f, in another
// goroutine. The texts are in memory once. What is read later for the clone does not belong to f.
func (f *Files) Clone() *Files {
	clone := *f
	clone.referenced = make(map[string]*ReferencedFile, len(f.referenced))
	for path, file := range f.referenced {
		own := *file
		own.parsed = maps.Clone(file.parsed)
		clone.referenced[path] = &own
	}
	return &clone
}
