//go:build linux

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"sesame/daemon/account"
)

// Append adds an entry to the file at a path, for root, when no daemon does it. The directory may
// belong to another user, who must not make root write somewhere else by it.
func Append(path string, e Entry) error {
	dir, err := account.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	// A link that takes the place of the file now leads no further than the directory.
	if info, err := dir.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no ordinary file: move it away", path)
	}
	const flags = os.O_WRONLY | os.O_APPEND | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	file, err := dir.OpenFile(name, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = dir.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, FileMode); err == nil {
			err = file.Chown(dir.Owner, -1)
		}
	}
	if err == nil {
		err = ordinary(file, dir.Owner)
	}
	if err != nil {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return err
	}
	return appendTo(file, e.Line())
}

// ordinary returns an error when a file may be another one than it seems.
func ordinary(file *os.File, owner int) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || stat.Nlink != 1 || stat.Uid != 0 && int64(stat.Uid) != int64(owner) {
		return fmt.Errorf("%s is no ordinary file of root's or of user %d's: move it away", file.Name(), owner)
	}
	return nil
}
