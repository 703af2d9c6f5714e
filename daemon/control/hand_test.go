//go:build linux

package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/account"
	"sesame/daemon/writable/writabletest"
)

var service = account.User{Name: "sesame", ID: 990, Group: 991}

// ofRoot returns the path of a socket whose directory is root's, and has the lock of an earlier
// daemon.
func ofRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run/sesame.sock")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// belongs checks the owner of a path; -1: it must be missing.
func belongs(t *testing.T, path string, user int) {
	t.Helper()
	info, err := os.Lstat(path)
	switch {
	case user == -1 && !errors.Is(err, fs.ErrNotExist):
		t.Errorf("%s is there: %v", path, err)
	case user == -1:
	case err != nil:
		t.Error(err)
	case int(info.Sys().(*syscall.Stat_t).Uid) != user:
		t.Errorf("%s belongs to %d, want %d", path, info.Sys().(*syscall.Stat_t).Uid, user)
	}
}

func handed(t *testing.T, path string, to account.User) {
	t.Helper()
	if err := Hand(path, to); err != nil {
		t.Fatal(err)
	}
}

func TestRealHandSocket(t *testing.T) {
	path := ofRoot(t)
	dir, lock := filepath.Dir(path), path+".lock"
	handed(t, path, account.Root())
	belongs(t, dir, 0)
	belongs(t, lock, 0)
	for range 2 {
		handed(t, path, service)
		belongs(t, dir, 990)
		belongs(t, lock, 990)
	}
	handed(t, path, account.User{Name: "other", ID: 5, Group: 5})
	belongs(t, dir, 990)

	t.Log("# a dead daemon left its socket, and root comes back")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Close(fd), os.Chown(path, 990, 991))
	}
	if err != nil {
		t.Fatal(err)
	}
	handed(t, path, account.Root())
	belongs(t, dir, 0)
	belongs(t, lock, -1)
	belongs(t, path, -1)

	t.Log("# a missing directory is made")
	fresh := filepath.Join(t.TempDir(), "new/run/sock")
	handed(t, fresh, service)
	belongs(t, filepath.Dir(fresh), 990)
	belongs(t, filepath.Dir(filepath.Dir(fresh)), 0)
}

// TestRealSocketInUse leaves the directory to a daemon that runs.
func TestRealSocketInUse(t *testing.T) {
	path := ofRoot(t)
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	handed(t, path, service)
	belongs(t, filepath.Dir(path), 0)
	belongs(t, path+".lock", 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	handed(t, path, service)
	belongs(t, filepath.Dir(path), 990)

	if s, err = Listen(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	handed(t, path, account.Root())
	belongs(t, filepath.Dir(path), 990)
}

// TestRealSocketNotHanded has directories that are not the daemon's alone.
func TestRealSocketNotHanded(t *testing.T) {
	for name, tt := range map[string]struct {
		plant   func(dir string) error
		refused string
	}{
		"another file":        {func(dir string) error { return os.WriteFile(dir+"/utmp", nil, 0o644) }, "has other files too (utmp), so it is not given to user sesame: name a socket in a directory of its own"},
		"a directory":         {func(dir string) error { return os.Mkdir(dir+"/x.lock", 0o755) }, "has other files too (x.lock)"},
		"a link":              {func(dir string) error { return os.Symlink("/etc/passwd", dir+"/x.lock") }, "has other files too (x.lock)"},
		"a second name":       {func(dir string) error { return os.Link(dir+"/sesame.sock.lock", dir+"/x.lock") }, "so it is not given to user sesame"},
		"others may write":    {func(dir string) error { return os.Chmod(dir, 0o777) }, "others can change"},
		"below one of sesame": {func(dir string) error { return os.Chown(filepath.Dir(dir), 990, 991) }, "others can change"},
	} {
		t.Run(name, func(t *testing.T) {
			path := ofRoot(t)
			if err := tt.plant(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			if err := Hand(path, service); err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Error(err)
			}
			belongs(t, filepath.Dir(path), 0)
			belongs(t, path+".lock", 0)
		})
	}
}
