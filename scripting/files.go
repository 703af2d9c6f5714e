package scripting

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing/fstest"

	"sesame/scripting/sandbox"
)

// How much a directory of scripts may hold, tests and modules counted.
const (
	maxFiles = 1000
	maxBytes = 64 << 20
	// MaxModuleDepth is how deep modules may lie, lib itself being 1.
	MaxModuleDepth = 8
)

// Files are all that a script set can consist of, read once: what is hashed,
// judged, loaded, recorded and kept is then the same, whoever edits meanwhile.
// They are immutable, and a file system.
type Files struct {
	Dir    string // that the files are in, for messages
	Single string // the one script to load; empty: all of the directory
	Sum    [sha256.Size]byte

	texts  fstest.MapFS
	failed map[string]error // what could not be read, which stands empty in texts
	bytes  int
}

// Read reads a directory of scripts, or one script and the modules beside it. An
// error says that there is nothing to load; a file that cannot be read is a
// problem of the set that is loaded.
func Read(name string) (*Files, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	f := &Files{Dir: name, texts: fstest.MapFS{}, failed: map[string]error{}}
	if !info.IsDir() {
		if filepath.Ext(name) != ".lua" {
			return nil, fmt.Errorf("%s is no Lua script: expected a directory, or a file whose name ends in .lua", name)
		}
		f.Dir, f.Single = filepath.Dir(name), filepath.Base(name)
		f.read(f.Single)
	} else if err := f.readDirectory("."); err != nil {
		return nil, err
	}
	if err := f.readModules("lib", 1); err != nil {
		return nil, err
	}
	f.hash()
	return f, nil
}

// FilesOf returns files that were kept, of the directory dir.
func FilesOf(dir, single string, kept []File) *Files {
	f := &Files{Dir: dir, Single: single, texts: fstest.MapFS{}}
	for _, file := range kept {
		f.texts[file.Path] = &fstest.MapFile{Data: file.Source}
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

// readModules reads a directory of modules, and those below it; most sets have
// none.
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

func (f *Files) read(name string) {
	text, err := readRegular(filepath.Join(f.Dir, name))
	if err != nil {
		f.failed[name] = err
	}
	f.bytes += len(text)
	f.texts[name] = &fstest.MapFile{Data: text}
}

// readRegular reads a file up to a little more than a script may have: it is for
// the loader to say what is too long. To open a pipe would wait for its writer.
func readRegular(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	return io.ReadAll(io.LimitReader(file, sandbox.MaxSource+1))
}

func (f *Files) hash() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		fmt.Fprintf(sum, "%q %x %v\n", name, sha256.Sum256(f.texts[name].Data), f.failed[name])
	}
	sum.Sum(f.Sum[:0])
}

// Open returns a file, or why it could not be read.
func (f *Files) Open(name string) (fs.File, error) {
	if err := f.failed[name]; err != nil {
		return nil, err
	}
	return f.texts.Open(name)
}

// Load loads the set that the files are: see [Load] and [LoadFile].
func (f *Files) Load(opt Options) (*Set, error) {
	opt.Dir = f.Dir
	if f.Single != "" {
		return LoadFile(f, f.Single, opt)
	}
	return Load(f, opt)
}
