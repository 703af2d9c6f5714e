//go:build linux

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sesame/daemon/writable/writabletest"
)

// TestRealAppend has root append to a file in a directory of another user, who prepared it.
func TestRealAppend(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		t.Fatal(err)
	}
	const user = 990
	one := Entry{Time: noon, Action: FirewallRemove, Direct: true}
	other := func(path string) error {
		target := filepath.Join(filepath.Dir(path), "other")
		return errors.Join(os.WriteFile(target, nil, 0o600), os.Chown(target, user, user))
	}
	for name, tt := range map[string]struct {
		prepare func(path string) error
		refused string // in the error; "": it is written
	}{
		"nothing is there": {func(string) error { return nil }, ""},
		"theirs": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, user, user))
		}, ""},
		"root's":         {func(path string) error { return os.WriteFile(path, nil, 0o600) }, ""},
		"a link":         {func(path string) error { return errors.Join(other(path), os.Symlink("other", path)) }, "is no ordinary file"},
		"a link outside": {func(path string) error { return os.Symlink("/etc/passwd", path) }, "is no ordinary file"},
		"a second name": {func(path string) error {
			return errors.Join(other(path), os.Link(filepath.Join(filepath.Dir(path), "other"), path))
		}, "no ordinary file"},
		"a third user's":   {func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 5, 5)) }, "no ordinary file"},
		"a pipe":           {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is no ordinary file"},
		"others may write": {func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) }, "others can change"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			path := filepath.Join(dir, Name)
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, user, user)); err != nil {
				t.Fatal(err)
			}
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			err := Append(path, one)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v, want %q in it", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			has(t, path, one)
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || name != "root's" && info.Sys().(*syscall.Stat_t).Uid != user {
				t.Errorf("it has the mode %v and the owner %d, %v", info.Mode(), info.Sys().(*syscall.Stat_t).Uid, err)
			}
		})
	}
	if err := Append(filepath.Join(t.TempDir(), "none", Name), one); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}
