package watch

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/scripting/source"
)

// maxWatchLinks bounds a chain of symbolic links.
const maxWatchLinks = 8

// places are the parts of the file system that decide what the scripts are.
type places struct {
	watched     []string        // places with events
	names       map[string]bool // paths whose creation and removal matter
	directories map[string]bool // directories of scripts and modules
	all         bool            // every file in these directories matters
}

// findPlaces finds the places of the scripts at path and of the referenced files. It calls add
// for each place before it reads it, so that a later change is an event. add returns false
// when the place does not exist or cannot be watched.
func findPlaces(path string, named []string, add func(string) bool) places {
	p := places{names: map[string]bool{}, directories: map[string]bool{}}
	watch := func(name string) bool {
		if !add(name) {
			return false
		}
		p.watched = append(p.watched, name)
		return true
	}
	p.above(path, watch, 0)
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		p.directory(path, watch, 0)
		p.directory(filepath.Join(path, "lib"), watch, 1)
	default:
		p.names[path] = true
		watch(path) // a mounted file changes without an event of its directory
		p.directories[filepath.Dir(path)] = true
		p.directory(filepath.Join(filepath.Dir(path), "lib"), watch, 1)
	}
	for _, name := range named {
		p.above(name, watch, 0)
		watch(name) // it may be mounted too
	}
	return p
}

// findFiles finds the places of files, and of all that is in some directories. See [findPlaces].
func findFiles(named, directories []string, add func(string) bool) places {
	p := places{names: map[string]bool{}, directories: map[string]bool{}, all: true}
	watch := func(name string) bool {
		if !add(name) {
			return false
		}
		p.watched = append(p.watched, name)
		return true
	}
	for _, name := range named {
		p.above(name, watch, 0)
		watch(name)
	}
	for _, dir := range directories {
		p.above(filepath.Join(dir, "any"), watch, 0)
		p.directories[dir] = true
	}
	return p
}

// above adds the directories in which path can be replaced: its own directory, and the
// directory of each symbolic link on the way. For a directory that does not exist it adds the
// deepest existing one above.
func (p *places) above(path string, watch func(string) bool, links int) {
	if links > maxWatchLinks {
		return
	}
	for name := path; name != filepath.Dir(name); name = filepath.Dir(name) {
		p.names[name] = true
		if target, err := os.Readlink(name); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(name), target)
			}
			watch(filepath.Dir(name))
			p.above(target, watch, links+1)
		}
	}
	// A directory may be created while those above it are added. Then the second round finds
	// it.
	for range 3 {
		below, dir := path, filepath.Dir(path)
		for !watch(dir) && dir != filepath.Dir(dir) {
			below, dir = dir, filepath.Dir(dir)
		}
		if _, err := os.Lstat(below); below == path || err != nil {
			return
		}
	}
}

// directory adds a directory and, below lib, its subdirectories.
func (p *places) directory(dir string, watch func(string) bool, depth int) {
	if depth > source.MaxModuleDepth || !watch(dir) {
		return
	}
	p.directories[dir] = true
	p.names[dir] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // the next look reports it
	}
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case entry.IsDir() && depth > 0:
			p.directory(name, watch, depth+1)
		case !strings.HasSuffix(name, ".lua"):
		case entry.Type()&os.ModeSymlink != 0:
			p.above(name, watch, 0)
			watch(name)
		case mounted(name, dir):
			// A mounted file is changed through another directory.
			p.names[name] = true
			watch(name)
		}
	}
}

// mounted reports whether a file in dir is a mount point.
func mounted(name, dir string) bool {
	a, b := mountOf(name), mountOf(dir)
	return a != b && a != 0 && b != 0
}

// mountOf returns the ID of the mount that a file is on, and 0 before Linux 5.8, which does
// not report it.
func mountOf(name string) uint64 {
	var info unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_MNT_ID, &info); err != nil || info.Mask&unix.STATX_MNT_ID == 0 {
		return 0
	}
	return info.Mnt_id
}
