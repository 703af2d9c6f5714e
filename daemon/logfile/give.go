package logfile

import (
	"io/fs"
	"os"
	"path/filepath"

	"sesame/daemon/account"
)

// Give lets a log file belong to the user that the daemon is about to become, and makes it with
// this mode if it is missing: its directory, such as /var/log, stays root's. Only root may call it.
// The file keeps its group, which another program may need.
//
// What may be the file of somebody else is left alone: one in a directory that others can write, a
// link, one of a third user. When the daemon cannot open it, it says what to do.
func Give(path string, mode fs.FileMode, to account.User) {
	dir, err := account.Open(filepath.Dir(path))
	if err != nil {
		return
	}
	defer dir.Close()
	if dir.Owner != 0 {
		return
	}
	name := filepath.Base(path)
	if made, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode); err == nil {
		_ = made.Chmod(mode) // else with less
		_ = made.Close()     // it is empty
	}
	_ = dir.GiveFile(account.User{Name: to.Name, ID: to.ID, Group: -1}, name)
}
