//go:build linux

package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/account"
)

// Hand lets the directory of a socket belong to the user that the daemon is about to become, or to
// root, so that the daemon can make its socket there again. Only root may call it. A missing
// directory is made. One that a daemon uses stays as it is, and so does one of a third user.
//
// A directory that has other files than those of daemons, such as /run, is given to nobody: that is
// an error.
func Hand(path string, to account.User) error {
	dir := filepath.Dir(path)
	if err := account.Make(dir, 0o755); err != nil {
		return fmt.Errorf("making the directory of the socket: %w", err)
	}
	place, err := account.Open(dir)
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	defer place.Close()
	if place.Owner == to.ID || place.Owner != 0 && to.ID != 0 {
		return nil
	}
	locks, sockets, others, err := filesOf(place.Root)
	switch {
	case err != nil:
		return fmt.Errorf("socket %s: %w", path, err)
	case others != "":
		return fmt.Errorf("socket %s: %s has other files too (%s), so it is not given to user %s: name a socket in a directory of its own, such as /run/sesame/sesame.sock, or set user = \"root\"",
			path, dir, others, to.Name)
	case inUse(place.Root, locks):
		return nil
	case to.ID != 0:
		return place.Give(to, locks...)
	}
	// What is in it may be a trap of the former owner, and nothing in it is worth keeping.
	err = place.TakeBack()
	for _, name := range append(locks, sockets...) {
		err = errors.Join(err, place.Remove(name))
	}
	return err
}

// filesOf returns the files of daemons in a directory, and one of others; "": there is none.
func filesOf(root *os.Root) (locks, sockets []string, others string, err error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		switch name := e.Name(); {
		case e.Type() == fs.ModeSocket:
			sockets = append(sockets, name)
		case e.Type().IsRegular() && strings.HasSuffix(name, ".lock"):
			locks = append(locks, name)
		default:
			return nil, nil, name, nil
		}
	}
	return locks, sockets, "", err
}

// inUse reports whether a daemon holds one of the locks.
func inUse(root *os.Root, locks []string) bool {
	for _, name := range locks {
		lock, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		err = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		_ = lock.Close() // which unlocks it
		if errors.Is(err, unix.EWOULDBLOCK) {
			return true
		}
	}
	return false
}
