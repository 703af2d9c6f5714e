package knockdlog

import (
	"os"
	"path/filepath"

	"sesame/daemon/account"
)

// Give lets the file of knockd's lines belong to the user that the daemon is about to become, and
// makes it if it is missing: its directory, such as /var/log, stays root's. Only root may call it.
// The file keeps its group, which another program may need.
//
// What may be the file of somebody else is left alone: one in a directory that others can write, a
// link, one of a third user. When the daemon cannot open it, [Open] says what to do.
func Give(path string, to account.User) {
	dir, err := account.Open(filepath.Dir(path))
	if err != nil {
		return
	}
	defer dir.Close()
	if dir.Owner != 0 {
		return
	}
	name := filepath.Base(path)
	if made, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode); err == nil {
		_ = made.Chmod(fileMode) // else with less
		_ = made.Close()         // it is empty
	}
	_ = dir.GiveFile(account.User{Name: to.Name, ID: to.ID, Group: -1}, name)
}
