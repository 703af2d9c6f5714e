package daemon

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
	"testing/fstest"

	"golang.org/x/sys/unix"

	"sesame/daemon/record"
	"sesame/scripting"
	"sesame/scripting/sandbox"
)

// maxScripts bounds how many files a directory of scripts may have.
const maxScripts = 10_000

// maxModuleDepth is how deep modules may lie, lib itself being 1.
const maxModuleDepth = 8

// A snapshot is all that a script set can consist of, read once: what is hashed,
// loaded, recorded and saved is then the same, whoever edits meanwhile.
type snapshot struct {
	dir    string // that the files are in, for messages
	single string // the one script to load; empty: all of the directory
	files  fstest.MapFS
	failed map[string]error // of files that could not be read
	sum    [sha256.Size]byte
}

// takeSnapshot reads a directory of scripts, or one script and the modules beside
// it. What cannot be read is found missing only by who loads it.
func takeSnapshot(name string) (*snapshot, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	s := &snapshot{dir: name, files: fstest.MapFS{}, failed: map[string]error{}}
	if info.IsDir() {
		err = s.readDirectory(".")
	} else {
		s.dir, s.single = filepath.Dir(name), filepath.Base(name)
		s.readFile(s.single)
	}
	if err == nil {
		err = s.readModules("lib")
	}
	s.hash()
	return s, err
}

// fingerprint returns a hash of all that a script set at path can consist of:
// names and content, and what cannot be read. It is zero when nothing can be.
func fingerprint(path string) [sha256.Size]byte {
	s, err := takeSnapshot(path)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return s.sum
}

// snapshotOf returns the snapshot of files that were kept.
func snapshotOf(dir, single string, files []scripting.File) *snapshot {
	s := &snapshot{dir: dir, single: single, files: fstest.MapFS{}}
	for _, f := range files {
		s.files[f.Path] = &fstest.MapFile{Data: f.Source}
	}
	s.hash()
	return s
}

func (s *snapshot) readDirectory(dir string) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, dir))
	if err != nil {
		return fmt.Errorf("reading the scripts: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".lua") && !strings.HasPrefix(name, ".") {
			s.readFile(path.Join(dir, name))
		}
	}
	if len(s.files) > maxScripts {
		return fmt.Errorf("reading the scripts: more than %d files in %s", maxScripts, s.dir)
	}
	return nil
}

// readModules reads a directory of modules, and those below it; none is there in
// most sets.
func (s *snapshot) readModules(dir string) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the modules: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.Count(dir, "/")+1 < maxModuleDepth {
			if err := s.readModules(path.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return s.readDirectory(dir)
}

// readFile reads a file up to a little more than what a script may be long: it is
// for the loader to say what is too long.
func (s *snapshot) readFile(name string) {
	text, err := readRegular(filepath.Join(s.dir, name))
	if err != nil {
		s.failed[name] = err
		return
	}
	s.files[name] = &fstest.MapFile{Data: text}
}

// readRegular reads a file that is one: to open a pipe would wait for its writer.
func readRegular(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: expected a Lua script", name)
	}
	return io.ReadAll(io.LimitReader(file, sandbox.MaxSource+1))
}

func (s *snapshot) hash() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		fmt.Fprintf(sum, "%q %x\n", name, sha256.Sum256(s.files[name].Data))
	}
	for _, name := range slices.Sorted(maps.Keys(s.failed)) {
		fmt.Fprintf(sum, "%q cannot be read: %v\n", name, s.failed[name])
	}
	sum.Sum(s.sum[:0])
}

// load makes a script set of the snapshot.
func (s *snapshot) load(options scripting.Options) (*scripting.Set, error) {
	options.Dir = s.dir
	if len(s.failed) > 0 {
		name := slices.Sorted(maps.Keys(s.failed))[0]
		return nil, fmt.Errorf("reading the scripts: %w", s.failed[name])
	}
	if s.single != "" {
		return scripting.LoadFile(s.files, s.single, options)
	}
	return scripting.Load(s.files, options)
}

// recorded returns the files that set was loaded from, for a recording.
func (s *snapshot) recorded(set *scripting.Set, values map[string]string, observe bool) record.Scripts {
	r := record.Scripts{Single: s.single, Values: values, Observe: observe}
	for _, f := range set.Files {
		r.Files = append(r.Files, record.File{Path: f.Path, Source: f.Source})
	}
	return r
}
