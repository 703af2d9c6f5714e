//go:build linux

package account

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/writable/writabletest"
)

func TestMain(m *testing.M) {
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var sesame = User{Name: "sesame", ID: 990, Group: 991}

// asRoot returns an empty directory of root's.
func asRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	dir := filepath.Join(t.TempDir(), "dir")
	must(t, os.Mkdir(dir, 0o700))
	return dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// owner returns the user and the group of a path.
func owner(t *testing.T, path string) [2]int {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	return [2]int{int(stat.Uid), int(stat.Gid)}
}

var (
	roots = [2]int{0, 0}
	given = [2]int{990, 991}
)

func opened(t *testing.T, dir string) *Directory {
	t.Helper()
	d, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func TestRealGive(t *testing.T) {
	dir := asRoot(t)
	write(t, dir+"/a", "")
	write(t, dir+"/other", "")
	write(t, dir+"/theirs", "")
	must(t, os.Chown(dir+"/theirs", 990, 5))
	d := opened(t, dir)
	must(t, d.Give(sesame, "a", "missing", "theirs"))
	for path, want := range map[string][2]int{"": given, "/a": given, "/other": roots, "/theirs": {990, 5}} {
		if got := owner(t, dir+path); got != want {
			t.Errorf("%q belongs to %v, want %v", path, got, want)
		}
	}

	t.Log("# it is not root's any more")
	again := opened(t, dir)
	if again.Owner != 990 {
		t.Errorf("owner %d", again.Owner)
	}
	if err := again.Give(User{Name: "x", ID: 5}, "a"); err == nil || !strings.Contains(err.Error(), "belongs to user 990, and not to root") {
		t.Error(err)
	}

	t.Log("# root takes it back")
	must(t, again.TakeBack())
	if owner(t, dir) != roots || owner(t, dir+"/a") != given || again.Owner != 0 {
		t.Errorf("after that %v, %v, %d", owner(t, dir), owner(t, dir+"/a"), again.Owner)
	}
}

// TestRealNotGiven has what may be another file than it seems. Then the directory stays root's.
func TestRealNotGiven(t *testing.T) {
	for name, plant := range map[string]func(dir, path string) error{
		"a symbolic link": func(dir, path string) error { return os.Symlink("secret", path) },
		"a second name":   func(dir, path string) error { return os.Link(dir+"/secret", path) },
		"a pipe":          func(_, path string) error { return unix.Mkfifo(path, 0o600) },
		"a directory":     func(_, path string) error { return os.Mkdir(path, 0o700) },
		"a third user's": func(_, path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 5, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := asRoot(t)
			write(t, dir+"/secret", "")
			must(t, plant(dir, dir+"/a"))
			err := opened(t, dir).Give(sesame, "a")
			if err == nil || !strings.Contains(err.Error(), "so it is not given to user sesame: move it away") {
				t.Error(err)
			}
			if owner(t, dir) != roots || owner(t, dir+"/secret") != roots || owner(t, dir+"/a") == given {
				t.Errorf("given: %v, %v, %v", owner(t, dir), owner(t, dir+"/secret"), owner(t, dir+"/a"))
			}
		})
	}
}

// TestRealOpen has paths that others than root can lead elsewhere.
func TestRealOpen(t *testing.T) {
	type change = func(above, dir string) error
	for name, tt := range map[string]struct {
		change  change
		refused string
	}{
		"root's":                  {func(_, _ string) error { return nil }, ""},
		"another's, in root's":    {func(_, dir string) error { return os.Chown(dir, 990, 991) }, ""},
		"that others can write":   {func(_, dir string) error { return os.Chmod(dir, 0o777) }, "others can change"},
		"below one of others":     {func(above, _ string) error { return os.Chmod(above, 0o777) }, "others can change"},
		"below one of a user":     {func(above, _ string) error { return os.Chown(above, 990, 991) }, "others can change"},
		"below one of its owner":  {func(above, dir string) error { return errors.Join(os.Chown(above, 990, 991), os.Chown(dir, 990, 991)) }, "others can change"},
		"a link of root's":        {replaceByLink(0), ""},
		"a link to another's":     {replaceByLink(990), "is a symbolic link: name the directory itself"},
		"a file":                  {func(_, dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) }, "not a directory"},
		"missing":                 {func(_, dir string) error { return os.Remove(dir) }, "no such file"},
		"of another, and written": {func(_, dir string) error { return errors.Join(os.Chown(dir, 990, 991), os.Chmod(dir, 0o707)) }, "others can change"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := asRoot(t)
			must(t, tt.change(filepath.Dir(dir), dir))
			d, err := Open(dir)
			if d != nil {
				d.Close()
			}
			if (err != nil) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Error(err)
			}
		})
	}
}

// replaceByLink moves a directory aside, gives it to a user and leaves a link to it.
func replaceByLink(user int) func(above, dir string) error {
	return func(_, dir string) error {
		return errors.Join(os.Rename(dir, dir+".real"), os.Chown(dir+".real", user, user), os.Symlink(dir+".real", dir))
	}
}

func TestRealMake(t *testing.T) {
	dir := asRoot(t)
	path := filepath.Join(dir, "a/b/c")
	for range 2 {
		must(t, Make(path, 0o700))
	}
	for at, want := range map[string]fs.FileMode{path: 0o700, filepath.Dir(path): 0o755} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm()&^0o022 != want&^0o022 {
			t.Errorf("%s: %v, %v", at, info, err)
		}
	}
	write(t, dir+"/file", "")
	if err := Make(dir+"/file/x", 0o700); err == nil {
		t.Error("made below a file")
	}

	t.Log("# a link of another user leads to a directory of root's")
	secret := asRoot(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755), os.Symlink(secret, dir+"/theirs/link"), os.Lchown(dir+"/theirs/link", 990, 991), os.Chown(dir+"/theirs", 990, 991))
	for _, name := range []string{"theirs/link/new/state", "theirs/link/new", "theirs/new/state", "theirs/new"} {
		if err := Make(filepath.Join(dir, name), 0o700); err == nil || !strings.Contains(err.Error(), "others can change") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []string{secret, dir + "/theirs"} {
		if entries, err := os.ReadDir(at); err != nil || len(entries) > 1 {
			t.Errorf("%s has %v, %v", at, entries, err)
		}
	}
}
