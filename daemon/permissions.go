package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sesame/scripting"
	"sesame/scripting/source"
)

// maxNamed bounds the files that a warning names.
const maxNamed = 5

// WritableByOthers names the files and directories that let users other than root and the
// current one change what a set of scripts does, each with owner and mode. It names at most
// five, then the number of the rest, and is empty when there are none. Scripts is the path
// that the set was read from.
func WritableByOthers(set *scripting.Set, scripts string) string {
	var named []string
	more := 0
	for _, path := range pathsOf(set, scripts) {
		info, err := os.Stat(path)
		if err != nil {
			continue // it is gone; its successor is checked when it is loaded
		}
		owner, writable := writers(info)
		switch {
		case !writable:
		case len(named) == maxNamed:
			more++
		default:
			named = append(named, fmt.Sprintf("%s (owner %d, mode %04o)", path, owner, info.Mode().Perm()))
		}
	}
	text := strings.Join(named, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// pathsOf returns the paths of the files of a set and of their directories, each once. For a
// symbolic link these are the directory of the link, and the file with its directory that it
// leads to.
func pathsOf(set *scripting.Set, scripts string) []string {
	dir := scripts
	if info, err := os.Stat(scripts); err == nil && !info.IsDir() {
		dir = filepath.Dir(scripts)
	}
	var paths []string
	seen := map[string]bool{}
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			paths = append(paths, path)
		}
	}
	add(dir)
	// Tests are no part of a set, but decide whether a reload is applied.
	for _, path := range append(filesOf(set), source.TestPaths(scripts)...) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		add(filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		add(filepath.Dir(path))
		add(path)
	}
	return paths
}

func filesOf(set *scripting.Set) (names []string) {
	for _, f := range set.Files {
		names = append(names, f.Path)
	}
	return names
}

// writers returns the owner of a file, and whether users other than root and the current one
// can change it. In a sticky directory, such as /tmp, they can only add files.
func writers(info os.FileInfo) (owner uint32, others bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	mode := info.Mode()
	if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return stat.Uid, true
	}
	if mode.IsDir() && mode&os.ModeSticky != 0 {
		return stat.Uid, false
	}
	return stat.Uid, mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && stat.Gid != 0
}

// warnOfPermissions logs a warning when other users can change a set.
func (d *daemon) warnOfPermissions(set *scripting.Set) {
	if files := WritableByOthers(set, d.config.Scripts); files != "" {
		d.config.Log.Warn("users other than root can change who gets in and what is run: chown root and chmod go-w", "files", files)
	}
}
