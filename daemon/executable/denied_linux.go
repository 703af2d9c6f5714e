package executable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// denied returns why the daemon may not execute a file that is executable. The daemon runs as root
// without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: modes bind it, as they bind other users. What a
// command has afterwards does not help to find its program. For another user it says nothing, since
// that one need not be the user of the daemon.
func denied(path string) string {
	if os.Geteuid() != 0 {
		return ""
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err == nil && fs.Flags&unix.ST_NOEXEC != 0 {
		return fmt.Sprintf("%s is on a file system that is mounted noexec: move it, or mount that with exec", path)
	}
	culprit := make(chan string, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread, and what it gave up, end with this goroutine
		if withoutOverride() != nil {
			culprit <- ""
			return
		}
		culprit <- firstDenied(path)
	}()
	where := <-culprit
	if where == "" {
		return ""
	}
	about, next := "", "chown root "+path+", or chmod o+x "+path
	if info, err := os.Stat(where); err == nil {
		user := owner(info)
		about = fmt.Sprintf(" (%smode %04o)", user, info.Mode().Perm())
		if user == "owner 0, " {
			next = "chmod u+x " + path
		}
	}
	if where == path {
		return fmt.Sprintf("%s may not be executed by Sesame%s, which gives up the right of root to pass every mode: run %s", path, about, next)
	}
	return fmt.Sprintf("%s may not be executed by Sesame, which gives up the right of root to pass every mode: %s%s shuts it out: move the program, or run chmod o+x %s",
		path, where, about, where)
}

func owner(info os.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("owner %d, ", stat.Uid)
	}
	return ""
}

// withoutOverride takes the right to pass modes from this thread.
func withoutOverride() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	const override = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	sets[0].Effective &^= override
	sets[0].Permitted &^= override // access(2) lets root use what is permitted
	return unix.Capset(&header, &sets[0])
}

// firstDenied returns the directory that this thread may not search, or the file that it may not
// execute, on the way to a path; "" for none.
func firstDenied(path string) string {
	may := func(p string) bool { return !errors.Is(unix.Access(p, unix.X_OK), unix.EACCES) }
	if may(path) {
		return ""
	}
	for _, way := range []string{path, resolved(path)} {
		for i := range way {
			if i > 0 && way[i] == '/' && !may(way[:i]) {
				return way[:i]
			}
		}
	}
	return path
}

// resolved returns a path without symbolic links, as far as this thread can see.
func resolved(path string) string {
	for rest := ""; ; {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real + rest
		}
		target, err := os.Readlink(path)
		if err == nil && filepath.IsAbs(target) {
			return target + rest
		}
		i := strings.LastIndexByte(path, '/')
		if i <= 0 {
			return path + rest
		}
		path, rest = path[:i], path[i:]+rest
	}
}
