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
// They are a file system, and change only while [Files.Load] reads what scripts
// name outside their directory.
type Files struct {
	Dir    string            // that the scripts are in, for messages
	Single string            // the one script to load; empty: all of the directory
	Sum    [sha256.Size]byte // of all files; once they were loaded, of those outside that the set names
	// Base is where relative paths in scripts begin, an absolute path, and Rest
	// reads the files outside that were not read yet; nil: nothing does.
	Base string
	Rest func(path string) ([]byte, error)

	texts   fstest.MapFS
	failed  map[string]error // what could not be read, which stands empty in texts
	bytes   int
	scripts [sha256.Size]byte    // the hash of texts and failed
	outside map[string]elsewhere // by absolute path
}

// Read reads a directory of scripts, or one script and the modules beside it, and
// the files outside that it is known to name: see [Fingerprint.Outside]. What else
// it names is read when it is loaded. An error says that there is nothing to load;
// a file that cannot be read is a problem of the set that is loaded.
func Read(name string, also ...string) (*Files, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	f := &Files{Dir: name, texts: fstest.MapFS{}, failed: map[string]error{}, outside: map[string]elsewhere{}, Rest: ReadOutside}
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
	if f.Base, err = filepath.Abs(f.Dir); err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	f.readAlso(also)
	f.hash()
	return f, nil
}

// FilesOf returns files that were kept: those of the directory that messages call
// dir, and those with an absolute path. Where scripts name others outside, or
// relative paths, Base and Rest must be set before they are loaded.
func FilesOf(dir, single string, kept []File) *Files {
	f := &Files{Dir: dir, Single: single, texts: fstest.MapFS{}, outside: map[string]elsewhere{}}
	f.keep(kept)
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
	text, err := readRegular(filepath.Join(f.Dir, name), sandbox.MaxSource)
	if err != nil {
		f.failed[name] = err
	}
	f.bytes += len(text)
	f.texts[name] = mapFile(text)
}

func mapFile(text []byte) *fstest.MapFile { return &fstest.MapFile{Data: text} }

// readRegular reads a file up to one byte more than it may have: it is for the
// loader to say what is too long. To open a pipe would wait for its writer.
func readRegular(name string, most int64) ([]byte, error) {
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
	return io.ReadAll(io.LimitReader(file, most+1))
}

func (f *Files) hash() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		fmt.Fprintf(sum, "%q %x %v\n", name, sha256.Sum256(f.texts[name].Data), f.failed[name])
	}
	sum.Sum(f.scripts[:0])
	sum.Write(f.hashOutside())
	sum.Sum(f.Sum[:0])
}

// Open returns a file, or why it could not be read.
func (f *Files) Open(name string) (fs.File, error) {
	if err := f.failed[name]; err != nil {
		return nil, err
	}
	return f.texts.Open(name)
}

// Load loads the set that the files are: see [Load] and [LoadFile]. What it names
// outside belongs to the files from then on.
func (f *Files) Load(opt Options) (*Set, error) {
	opt.Dir, opt.Base, opt.Outside = f.Dir, f.Base, f.open
	named := map[string]*outsideFile{}
	defer func() { f.settle(named) }()
	names := []string{f.Single}
	if f.Single == "" {
		var err error
		if names, err = scriptNames(f, opt); err != nil {
			return nil, err
		}
	}
	return load(f, names, opt, named)
}
