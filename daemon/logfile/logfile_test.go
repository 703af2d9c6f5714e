package logfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Others than root shall read it, whatever the umask of a unit. It is set for a
// child alone: that of this process is its other tests' too.
func TestANewFileHasItsMode(t *testing.T) {
	if path := os.Getenv("SESAME_TEST_LOG"); path != "" {
		unix.Umask(0o077)
		if _, err := OpenAppend(path, 0o640); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "a.log")
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestANewFileHasItsMode$")
	cmd.Env = append(os.Environ(), "SESAME_TEST_LOG="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("the mode is %v, want 0640", info.Mode())
	}
	t.Log("# the mode of a file that is there is its owner's affair")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := OpenAppend(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v, %v, want 0600", info.Mode(), err)
	}
}

// A FIFO without a reader is an error: to wait for one would hold up the start.
func TestAFileThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if file, err := OpenAppend(path, 0o640); err == nil {
		file.Close()
		t.Error("a FIFO without a reader was opened")
	}
}

func TestAFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	var told []error
	f, err := Open(path, 0o600, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	write := func() error { _, err := f.Write([]byte("a line\n")); return err }
	if err := write(); err != nil || f.Failure() != "" {
		t.Errorf("%v, %q", err, f.Failure())
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	old := f.file.Swap(full)
	for range 2 {
		if err := write(); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("a full disk: %v", err)
		}
	}
	if len(told) != 1 || !strings.Contains(f.Failure(), "no space left") {
		t.Errorf("it was told %v, and says %q", told, f.Failure())
	}

	t.Log("# another file has the path, and then a directory")
	if err := errors.Join(os.Rename(path, path+".1"), f.Reopen(), write(), old.Close()); err != nil || f.Failure() != "" {
		t.Errorf("%v, %q", err, f.Failure())
	}
	if err := errors.Join(os.Rename(path, path+".2"), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil || !strings.Contains(f.Failure(), "it is a directory") {
		t.Errorf("%v, %q", err, f.Failure())
	}
	if err := errors.Join(write(), f.Close()); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{".1": "a line\n", ".2": "a line\na line\n"} {
		if text, err := os.ReadFile(path + name); err != nil || string(text) != want {
			t.Errorf("%s has %q, %v", name, text, err)
		}
	}
	if err := write(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
}
