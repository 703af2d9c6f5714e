//go:build linux

package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sesame/daemon/writable"
)

// A Directory is one that only root decides where it is. Nobody but its owner can make a file in
// it, or exchange one.
type Directory struct {
	*os.Root
	Owner int
}

// Open opens a directory, for root. It is an error when a user other than root and the owner of the
// directory can change what is in it, or when one other than root can change where its path leads.
func Open(path string) (*Directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	d := &Directory{Root: root}
	info, err := root.Stat(".")
	if err == nil {
		d.Owner = int(statOf(info).Uid)
		err = changeable(path, d.Owner)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// changeable returns an error when others can change a directory, or where its path leads. The
// owner of the directory must own nothing on the way to it.
func changeable(path string, owner int) error {
	found := writable.Find([]writable.Target{{Path: path, Listed: true, Owner: uint32(owner)}})
	if owner != 0 {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link: name the directory itself", path)
		}
		found = append(found, writable.Find([]writable.Target{{Path: filepath.Dir(path)}})...)
	}
	if len(found) > 0 {
		return fmt.Errorf("others can change %s", writable.Text(found))
	}
	return nil
}

// Make makes a directory with this mode, and those above it that are missing, for root. It is an
// error when others can change where the path leads: then root would make directories for them.
func Make(path string, mode fs.FileMode) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	above := filepath.Dir(path)
	if found := writable.Find([]writable.Target{{Path: above}}); len(found) > 0 {
		return fmt.Errorf("others can change %s", writable.Text(found))
	}
	if err := os.MkdirAll(above, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Give gives files of root's directory to a user, and last the directory itself, so that the user
// can put nothing there before all else is done. A file that is missing, or that is the user's
// already, is passed over.
//
// A file that has a second name, or that is of another kind or owner, is not given: it may be
// something else that somebody wants to be given away.
func (d *Directory) Give(to User, files ...string) error {
	if d.Owner != 0 {
		return fmt.Errorf("directory %s belongs to user %d, and not to root", d.Name(), d.Owner)
	}
	for _, name := range files {
		if err := d.GiveFile(to, name); err != nil {
			return err
		}
	}
	return d.Chown(".", to.ID, to.Group)
}

// GiveFile gives one file. See [Directory.Give].
func (d *Directory) GiveFile(to User, name string) error {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch stat := statOf(info); {
	case int(stat.Uid) == to.ID:
		return nil
	case !info.Mode().IsRegular() || stat.Nlink != 1 || stat.Uid != 0:
		return fmt.Errorf("%s/%s is no ordinary file of root's with one name, so it is not given to user %s: move it away", d.Name(), name, to.Name)
	}
	return d.Lchown(name, to.ID, to.Group) // a group of -1 stays
}

// TakeBack makes a directory root's again, so that its former owner can put nothing into it any
// more. What is in it stays, and is the owner's work: a process of that user may still write to a
// file that it has open.
func (d *Directory) TakeBack() error {
	if err := d.Chown(".", 0, 0); err != nil {
		return err
	}
	d.Owner = 0
	return nil
}

func statOf(info fs.FileInfo) *syscall.Stat_t {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat
	}
	return &syscall.Stat_t{Uid: nobody} // it never happens on Linux
}

const nobody = 65534
