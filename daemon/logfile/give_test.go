package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sesame/daemon/account"
	"sesame/daemon/writable/writabletest"
)

// TestRealGive has the file of knockd's lines, in a directory that stays root's.
func TestRealGive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		t.Fatal(err)
	}
	make4 := func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o640), os.Chown(path, 0, 4)) }
	for name, tt := range map[string]struct {
		prepare     func(path string) error
		user, group uint32 // afterwards
	}{
		"a new file":          {func(string) error { return nil }, 990, 0},
		"root's, of a group":  {make4, 990, 4},
		"the user's already":  {func(path string) error { return errors.Join(make4(path), os.Chown(path, 990, 4)) }, 990, 4},
		"another's":           {func(path string) error { return errors.Join(make4(path), os.Chown(path, 5, 4)) }, 5, 4},
		"a link":              {func(path string) error { return os.Symlink("secret", path) }, 0, 0},
		"others may write":    {func(path string) error { return errors.Join(make4(path), os.Chmod(filepath.Dir(path), 0o777)) }, 0, 4},
		"a directory of them": {func(path string) error { return errors.Join(make4(path), os.Chown(filepath.Dir(path), 990, 991)) }, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "knockd.log")
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			Give(path, 0o640, account.User{Name: "sesame", ID: 990, Group: 991})
			info, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			stat := info.Sys().(*syscall.Stat_t)
			if stat.Uid != tt.user || stat.Gid != tt.group || info.Mode().IsRegular() && info.Mode().Perm() != 0o640 {
				t.Errorf("%v of %d:%d, want %d:%d", info.Mode(), stat.Uid, stat.Gid, tt.user, tt.group)
			}
		})
	}
	Give(filepath.Join(t.TempDir(), "missing/knockd.log"), 0o640, account.User{ID: 990}) // opening the file says more
}
