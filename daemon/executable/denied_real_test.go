//go:build linux

package executable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The daemon is root without the right to pass every mode. Whoever checks as root has that right,
// and is told all the same.
func TestRealProgramsThatModesForbid(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root is judged: another user need not be the user of the daemon")
		return
	}
	const nobody = 65534
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	inHome := put(t, home, "hook", "#!/bin/sh\n", 0o755)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(inHome, link); err != nil {
		t.Fatal(err)
	}
	private := put(t, dir, "private", "#!/bin/sh\n", 0o700)
	ours := put(t, dir, "ours", "#!/bin/sh\n", 0o700)
	for _, path := range []string{home, private} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	want := func(path, want string) {
		t.Helper()
		if got := Problem([]string{path}); got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	want(ours, "")
	want(private, private+" may not be executed by Sesame (owner 65534, mode 0700), which gives up the right of root to pass every mode: run chown root "+private)
	want(inHome, "")
	want(link, "")
	want("/bin/sh", "")
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	shut := home + " (owner 65534, mode 0700) shuts it out: move the program, or run chmod o+x " + home
	want(inHome, shut)
	want(link, shut)
	t.Log("# the shell that Sesame starts has all rights of root again")
	if got := Problem([]string{"/bin/sh", "-c", inHome}); got != "" {
		t.Errorf("got %q", got)
	}
	t.Log("# nothing is taken from the rest of the process")
	for range 100 {
		if file, err := os.Open(inHome); err != nil {
			t.Fatal(err)
		} else {
			_ = file.Close()
		}
	}
}

// The kernel executes nothing on a file system that is mounted noexec.
func TestRealProgramOnANoexecMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can mount")
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("sesame-test", dir, "tmpfs", unix.MS_NOEXEC, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := put(t, dir, "hook", "#!/bin/sh\n", 0o755)
	if got := Problem([]string{path}); !strings.Contains(got, "is on a file system that is mounted noexec") {
		t.Errorf("got %q", got)
	}
}
