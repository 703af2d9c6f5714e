//go:build linux

package privileged

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealLinksOfTheDaemonsUser has links to a file of root's in places that the daemon's user can
// write: of a file of one-time sequences, and of a script. The helper reads as root, and must not
// hand it to the daemon.
func TestRealLinksOfTheDaemonsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user, group = 990, 991
	for _, insists := range []bool{false, true} {
		w := newWorld(t)
		must(t, os.Chmod(filepath.Dir(w.dir), 0o755))
		theirs, state := filepath.Join(w.dir, "theirs"), filepath.Join(w.dir, "state")
		w.once = write(t, theirs, "once", "1001,1002\n")
		secret := write(t, w.dir, "secret", "a secret of root's\n")
		w.declare("")
		must(t, os.Mkdir(state, 0o700), os.Chown(state, user, group), os.Chown(theirs, user, group), os.Chown(w.once, user, group), os.Chmod(secret, 0o600))
		if insists {
			must(t, os.Chown(state, 0, 0)) // it does not tell who the daemon's user is
			must(t, os.Chmod(w.once, 0o644), os.Chmod(theirs, 0o755))
		}
		h := w.host()
		h.cfg.Settings = func() (Settings, error) {
			return Settings{Scripts: w.scripts, State: state, AllowWritable: insists}, nil
		}
		texts := func() (all, trouble string) {
			read, err := h.connect().Read(t.Context(), "")
			must(t, err)
			for _, f := range read.Files.Stored() {
				all += string(f.Source)
			}
			return all, read.Trouble
		}
		if all, trouble := texts(); trouble != "" || !strings.Contains(all, "1001,1002") {
			t.Errorf("its own file: %q, %q", trouble, all)
		}
		must(t, os.Remove(w.once), os.Symlink(secret, w.once))
		if all, _ := texts(); strings.Contains(all, "secret") {
			t.Errorf("insists %t: a link for the sequences was followed", insists)
		}
		must(t, os.Remove(w.once), os.Mkdir(w.dir+"/open", 0o777), os.Chmod(w.dir+"/open", 0o777))
		w.once = w.dir + "/open/once"
		must(t, os.Symlink(secret, w.once))
		w.declare("")
		if all, _ := texts(); strings.Contains(all, "secret") {
			t.Errorf("insists %t: a link in a directory of all was followed", insists)
		}
		must(t, os.Chown(w.scripts, user, group), os.Symlink(secret, filepath.Join(w.scripts, "x.lua")))
		if all, _ := texts(); strings.Contains(all, "secret") {
			t.Errorf("insists %t: a link for a script was followed", insists)
		}
	}
}
