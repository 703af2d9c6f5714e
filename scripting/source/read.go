package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sesame/scripting/zone"
)

// Read reads a directory of scripts, or one script and the modules beside it,
// and the referenced files that are known to be named: see [Files.Referenced].
// Others are read while the set loads. An error means that there is nothing to
// load. A file that cannot be read is a problem of the set that is loaded.
func Read(name string, referenced ...string) (*Files, error) {
	return read(name, func(f *Files, path string) { f.readReferenced(path) }, referenced)
}

// read reads scripts and modules, and calls one for each referenced file.
func read(name string, one func(f *Files, path string), referenced []string) (*Files, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	f := newFiles(name, "")
	f.ReadReferenced, f.zones = ReadReferenced, zone.Dir
	if !info.IsDir() {
		if filepath.Ext(name) != ".lua" {
			return nil, fmt.Errorf("%s is no Lua script: expected a directory, or a file whose name ends in .lua", name)
		}
		f.Dir, f.Single = filepath.Dir(name), filepath.Base(name)
		f.read(f.Single)
		f.readTest()
	} else if err := f.readDirectory("."); err != nil {
		return nil, err
	}
	if err := f.readModules("lib", 1); err != nil {
		return nil, err
	}
	if f.Base, err = filepath.Abs(f.Dir); err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	for _, path := range referenced {
		if f.referenced[path] == nil {
			one(f, path)
		}
	}
	f.hash()
	return f, nil
}

// Of returns files that were stored: scripts and modules of a directory that
// messages call dir, and referenced files, whose paths are absolute. Where
// scripts name other referenced files or relative paths, ReadReferenced and
// Base must be set before the set is loaded.
func Of(dir, single string, stored []File) *Files {
	f := newFiles(dir, single)
	for _, file := range stored {
		if file.Referenced() {
			f.referenced[file.Path] = newReferenced(file.Path, file.Source, nil)
			continue
		}
		f.texts[file.Path] = file.Source
	}
	f.hash()
	return f
}

func (f *Files) readDirectory(dir string) error {
	entries, err := os.ReadDir(filepath.Join(f.Dir, dir))
	if err != nil {
		return fmt.Errorf("reading the scripts: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".lua") && !strings.HasPrefix(name, ".") {
			f.read(path.Join(dir, name))
		}
		if len(f.texts) > maxFiles || f.bytes > maxBytes {
			return fmt.Errorf("reading the scripts: %s holds more than %d scripts, or %d MiB of them", f.Dir, maxFiles, maxBytes>>20)
		}
	}
	return nil
}

// readModules reads a directory of modules and those below it, down to
// [MaxModuleDepth]. A set without modules has no such directory.
func (f *Files) readModules(dir string, depth int) error {
	entries, err := os.ReadDir(filepath.Join(f.Dir, dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading the modules: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() && depth < MaxModuleDepth {
			if err := f.readModules(path.Join(dir, entry.Name()), depth+1); err != nil {
				return err
			}
		}
	}
	return f.readDirectory(dir)
}

// readTest reads the tests of the single script, if there are some.
func (f *Files) readTest() {
	name := testOf(f.Single)
	if _, err := os.Lstat(filepath.Join(f.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
		f.read(name)
	}
}

func (f *Files) read(name string) {
	text, err := readRegular(filepath.Join(f.Dir, name), int64(longest(name)))
	if err != nil {
		// Without the path, so that the hash of the files is the same wherever they are.
		f.failed[name] = withoutPath(err)
	}
	f.bytes += len(text)
	f.texts[name] = text
}
