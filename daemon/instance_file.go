package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// networkName names the network namespace of this thread, by its inode: "net:[4026531840]".
func networkName() string {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "net" // without /proc there is one lock for all
	}
	return name
}

// lockName is the name of a network's lock file: "guard-net-4026531840.lock".
func lockName(network string) string {
	return "guard-" + strings.NewReplacer(":[", "-", "]", "").Replace(network) + ".lock"
}

// lockFile locks the file of a network in a directory, and creates both. The error is errHeld when
// another process has the lock, which pid names when it is known. The file has this process's ID,
// and stays.
//
// Whoever can write to the directory could put another file in place of a locked one. So it must
// belong to root or to the user of this process, and nobody else may write to it.
func lockFile(dir, network string) (file *os.File, pid int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, fmt.Errorf("making the directory of the lock: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the directory of the lock: %w", err)
	}
	defer root.Close()
	if err := ownedByUs(root); err != nil {
		return nil, 0, err
	}
	file, err = root.OpenFile(lockName(network), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the lock: %w", err)
	}
	switch err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, writtenID(file), errors.Join(errHeld, file.Close())
	case err == nil:
		err = writeID(file)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("locking %s/%s: %w", dir, lockName(network), err), file.Close())
	}
	return file, 0, nil
}

// fileHeld reports whether a process has the lock file of a network, and which one; 0: it is not
// known. It creates nothing.
func fileHeld(dir, network string) (pid int, held bool) {
	file, err := os.OpenFile(filepath.Join(dir, lockName(network)), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	if !errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return 0, false
	}
	return writtenID(file), true
}

// writeID writes the ID of this process into a lock file.
func writeID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(file, os.Getpid())
	return err
}

// writtenID returns the process whose ID is in a lock file; 0: there is none.
func writtenID(file io.Reader) int {
	text, _ := io.ReadAll(io.LimitReader(file, 20))
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !alive(pid) {
		return 0
	}
	return pid
}

// ownedByUs returns an error for a directory that users other than root and that of this process
// can write to.
func ownedByUs(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the directory of the lock: %w", err)
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case known && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("directory %s belongs to user %d, who could break the lock in it: give it to root", dir.Name(), owner.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others can write to directory %s (mode %04o), and could break the lock in it: run chmod 0755 %s", dir.Name(), info.Mode().Perm(), dir.Name())
	}
	return nil
}
