package openfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// With readFlags nobody waits: for the other end of a pipe, or for who has a lease on the file. A
// terminal does not become that of the process.
const (
	readFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	waitFlags = os.O_RDONLY | unix.O_NOCTTY
)

// open opens what a path leads to if its kind is allowed.
func open(path string, flags int, allowed func(fs.FileInfo) error) (*os.File, fs.FileInfo, error) {
	handle, err := os.OpenFile(path, unix.O_PATH, 0) // this opens nothing: open(2)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = handle.Close() }()
	return Again(handle, path, flags, allowed)
}

// Again opens the file that a handle of O_PATH leads to, with flags of open(2), if its kind is
// allowed. Nobody can exchange it in between. Errors name the path.
func Again(handle *os.File, path string, flags int, allowed func(fs.FileInfo) error) (*os.File, fs.FileInfo, error) {
	info, err := handle.Stat()
	if err == nil {
		err = allowed(info)
	}
	if err == nil && info.Mode().IsRegular() && ofKernel(handle) {
		err = ErrKernel
	}
	if err != nil {
		return nil, nil, named(path, err)
	}
	file, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(handle.Fd())), flags, 0)
	if errors.Is(err, fs.ErrNotExist) { // without /proc
		file, err = sameFile(path, flags, info)
	}
	if err != nil {
		return nil, nil, named(path, err)
	}
	return file, info, nil
}

// sameFile opens a path by its name, if it leads to the same file still.
func sameFile(path string, flags int, info fs.FileInfo) (*os.File, error) {
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	if now, err := file.Stat(); err != nil || !os.SameFile(info, now) {
		return nil, errors.Join(errors.New("it was exchanged while it was opened"), err, file.Close())
	}
	return file, nil
}

// named names the path instead of a descriptor.
func named(path string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// ofKernel reports whether a file is in a file system whose files have no data, but are answers of
// the kernel. A pipe that /proc/self/fd names is in none of these.
func ofKernel(handle *os.File) bool {
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(handle.Fd()), &system); err != nil {
		return false
	}
	switch uint32(system.Type) { // include/uapi/linux/magic.h
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
		unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.BPF_FS_MAGIC:
		return true
	}
	return false
}

// Append opens a file that is there, to append lines: a regular file, a pipe that somebody reads, a
// terminal, or /dev/null. The caller closes it. Errors are as those of [Regular].
func Append(path string) (*os.File, error) {
	handle, err := os.OpenFile(path, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = handle.Close() }()
	file, _, err := Again(handle, path, os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK|unix.O_NOCTTY, func(info fs.FileInfo) error {
		if isTerminal(info) {
			return nil
		}
		return input(info)
	})
	return file, err
}

// isTerminal reports whether a file is a terminal, by the numbers in
// Documentation/admin-guide/devices.txt of the kernel: 4 and 5 are virtual and serial terminals and
// the console, 136 to 143 are those of a terminal window.
func isTerminal(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	major := unix.Major(stat.Rdev)
	return major == 4 || major == 5 || major >= 136 && major <= 143
}

// isNull reports whether a file is /dev/null: the device 1:3, see
// Documentation/admin-guide/devices.txt of the kernel.
func isNull(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && stat.Rdev == unix.Mkdev(1, 3)
}
