//go:build linux

package privileged

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRealSequencesOfTheDaemonsUser has a file of one-time sequences in a directory that the
// daemon's user owns, as a daemon without a helper needs it.
func TestRealSequencesOfTheDaemonsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const user, group = 990, 991
	w := newWorld(t)
	must(t, os.Chmod(filepath.Dir(w.dir), 0o755)) // which the testing package closes to others
	theirs := filepath.Join(w.dir, "theirs")
	w.once = write(t, theirs, "once", "1001,1002\n1003,1004\n1005,1006\n")
	list := write(t, theirs, "list", "203.0.113.0/24\n")
	w.declare("")
	must(t, os.Chown(theirs, user, group), os.Chown(w.once, user, group), os.Chmod(theirs, 0o755), os.Chmod(w.once, 0o644))
	state := filepath.Join(w.dir, "state")
	must(t, os.Mkdir(state, 0o700))
	h, set := w.host(), Settings{Scripts: w.scripts, State: state}
	h.cfg.Settings = func() (Settings, error) { return set, nil }
	look := func() string {
		read, err := h.connect().Read(t.Context(), "")
		must(t, err)
		return read.Trouble
	}
	if got := look(); !strings.HasPrefix(got, heldText+theirs+" (owner 990") {
		t.Errorf("the daemon is root: %q", got)
	}
	must(t, os.Chown(state, user, group))
	if got := look(); got != "" {
		t.Errorf("it is the daemon's user: %q", got)
	}
	c := h.connect()
	if err := c.CommentOut(w.once, "1001,1002"); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(w.once)
	must(t, err)
	info, err := os.Stat(w.once)
	must(t, err)
	if string(text) != "#001,1002\n1003,1004\n1005,1006\n" || info.Mode() != 0o644 {
		t.Errorf("%q, mode %v", text, info.Mode())
	}

	t.Log("# a link in its place leads to a file of root")
	must(t, os.Remove(w.once), os.Symlink(w.other, w.once))
	if err := c.CommentOut(w.once, "secret"); err == nil {
		t.Error("it was followed")
	}
	if text, err := os.ReadFile(w.other); err != nil || string(text) != "1001,1002\nsecret\n" {
		t.Errorf("%q, %v", text, err)
	}

	t.Log("# another user, and another file")
	must(t, os.Remove(w.once))
	write(t, theirs, "once", "1003,1004\n")
	must(t, os.Chown(w.once, 992, group))
	if err := c.CommentOut(w.once, "1003,1004"); err == nil || !strings.Contains(err.Error(), heldText+w.once) {
		t.Errorf("the file of another user: %v", err)
	}
	must(t, os.Chown(w.once, user, group), os.Chown(list, 0, 0), os.Chmod(list, 0o644)) // else it is not even read
	w.declare(`local n = sesame.networks { file = "` + list + `" }`)
	if got := look(); !strings.HasPrefix(got, heldText+theirs+" (owner 990") {
		t.Errorf("a list there: %q", got)
	}
	set.AllowWritable = true
	if got := look(); got != "" {
		t.Errorf("the configuration insists: %q", got)
	}
}

// TestWhoIsTheDaemonsUser has state directories that tell it, and some that others can exchange.
func TestWhoIsTheDaemonsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	for _, name := range []string{"good", "theirs", "theirs/state", "open", "open/state"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700), os.Chown(filepath.Join(dir, name), 990, 991))
	}
	must(t, os.Chown(dir+"/open", 0, 0), os.Chmod(dir+"/open", 0o777), os.Symlink("theirs/state", dir+"/bad"), os.Symlink("good", dir+"/link"))
	for path, want := range map[string]uint32{"good": 990, "link": 990, "theirs/state": 0, "open/state": 0, "bad": 0, "none": 0} {
		s := Settings{State: filepath.Join(dir, path)}
		if user, group := s.daemonUser(); user != want || (group == 991) != (want == 990) {
			t.Errorf("%s: %d, %d, want %d", path, user, group, want)
		}
	}
	if user, _ := (&Settings{}).daemonUser(); user != 0 {
		t.Errorf("no state directory: %d", user)
	}
}

// TestAsUser finds the thread as it was, and the function with other rights.
func TestAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	path := write(t, t.TempDir(), "a", "text")
	failed := errors.New("it failed")
	err := asUser(990, 991, func() error {
		if _, err := os.ReadFile(path); !errors.Is(err, os.ErrPermission) {
			t.Errorf("reading a file of root: %v", err)
		}
		if now, _ := unix.SetfsuidRetUid(-1); now != 990 {
			t.Errorf("user %d", now)
		}
		if now, _ := unix.SetfsgidRetGid(-1); now != 991 {
			t.Errorf("group %d", now)
		}
		if n, _, _ := unix.RawSyscall(unix.SYS_GETGROUPS, 0, 0, 0); n != 0 {
			t.Errorf("%d other groups", n)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, err := os.ReadFile(path); err != nil {
		t.Error(err)
	}
}
