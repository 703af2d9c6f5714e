package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/engine"
)

// What was appended before the directory was lost, and what is appended after that, is found by the
// next start, and the directory is as one that a start makes.
func TestALostDirectoryIsMadeAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		lose func(dir string) error
		lost string
	}{
		"deleted": {os.RemoveAll, "was deleted"},
		"deleted with its parent": {func(dir string) error {
			return os.RemoveAll(filepath.Dir(dir))
		}, "was deleted"},
		"moved away": {func(dir string) error { return os.Rename(dir, dir+".old") }, "was deleted"},
		"replaced by an empty one": {func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700))
		}, "was replaced"},
		"replaced by one with another journal": {func(dir string) error {
			if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)); err != nil {
				return err
			}
			other, err := Open(dir)
			if err != nil {
				return err
			}
			defer other.Close()
			_, err = other.Recover(monday)
			return errors.Join(err, other.Append([]engine.Record{grant(77, monday.Add(time.Hour))}, 0))
		}, "was replaced"},
		"emptied": {func(dir string) error {
			return errors.Join(os.Remove(dir+"/journal"), os.Remove(dir+"/lock"), os.Remove(dir+"/"+clockName))
		}, "the lock of"},
		"its lock deleted":    {func(dir string) error { return os.Remove(dir + "/lock") }, "the lock of"},
		"its journal deleted": {func(dir string) error { return os.Remove(dir + "/journal") }, "the journal in"},
		"its journal replaced": {func(dir string) error {
			return errors.Join(os.Rename(dir+"/journal", dir+"/old"), os.WriteFile(dir+"/journal", []byte("rubbish\n"), 0o600))
		}, "the journal in"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lib", "state")
			d := open(t, dir)
			recovered(t, d, monday)
			if err := d.NoteClockSynchronised(); err != nil {
				t.Fatal(err)
			}
			before, after := grant(1, monday.Add(time.Minute)), grant(3, monday.Add(time.Hour))
			appendAll(t, d, 0, before, grant(2, monday), ended(2), value("k", true, time.Time{}))
			if err := d.Lost(); err != nil {
				t.Fatalf("lost before that: %v", err)
			}
			if err := tt.lose(dir); err != nil {
				t.Fatal(err)
			}
			if err := d.Lost(); err == nil || !strings.Contains(err.Error(), tt.lost) {
				t.Fatalf("lost: %v, want %q", err, tt.lost)
			}
			d, err := d.Renew()
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			appendAll(t, d, 0, after)
			if err := d.Lost(); err != nil {
				t.Errorf("still lost: %v", err)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d uses it", os.Getpid())) {
				t.Errorf("it is not locked: %v", err)
			}
			if !d.ClockWasSynchronised() && !strings.HasPrefix(name, "its ") {
				t.Error("the note that the clock was synchronised is gone")
			}
			d, got := reopen(t, d, monday)
			defer d.Close()
			want := []engine.Record{ended(3), before, after, value("k", true, time.Time{})}
			for i := range want {
				if g := want[i].Grant; g != nil && !want[i].Ended {
					g.End = monday.Add(30 * time.Second) // at most its TTL after a start
				}
			}
			if diff := cmp.Diff(want, got.Records, sameRecords); diff != "" || len(got.Warnings) != 0 {
				t.Errorf("warnings %v, records (-want +got):\n%s", got.Warnings, diff)
			}
		})
	}
}

// While it cannot be made anew nothing is appended, and afterwards nothing is missing.
func TestALostDirectoryThatCannotBeMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d := open(t, dir)
	recovered(t, d, monday)
	appendAll(t, d, 0, grant(1, monday))
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Lost(); err == nil || !strings.Contains(err.Error(), "was deleted") {
			t.Errorf("lost: %v", err)
		}
		if _, err := d.Renew(); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("renewed: %v", err)
		}
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir) // another daemon was faster
	if _, err := d.Renew(); err == nil || !strings.Contains(err.Error(), "uses it: stop that one first") {
		t.Errorf("renewed: %v", err)
	}
	other.Close()
	d, err := d.Renew()
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, d, 0)
	if d, got := reopen(t, d, monday); len(got.Records) != 2 {
		t.Errorf("%s holds %v", d.path, got.Records)
	}
}

// A start as root may use a directory below one that it cannot look into later.
func TestAParentThatCannotBeSearchedIsNoLoss(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root searches everything")
	}
	parent := t.TempDir()
	d := open(t, filepath.Join(parent, "state"))
	recovered(t, d, monday)
	appendAll(t, d, 0, grant(1, monday))
	if err := os.Chmod(parent, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(parent, fs.FileMode(0o700)) }()
	if err := d.Lost(); err != nil {
		t.Errorf("lost: %v", err)
	}
}

// A directory that was closed, or never read, is not made anew.
func TestAClosedDirectoryIsNotLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d := open(t, dir)
	if err := errors.Join(os.RemoveAll(dir), d.Lost()); err != nil {
		t.Errorf("before Recover: %v", err)
	}
	d = open(t, dir)
	recovered(t, d, monday)
	appendAll(t, d, 0, grant(1, monday))
	if err := errors.Join(d.Close(), os.RemoveAll(dir), d.Lost()); err != nil {
		t.Errorf("after Close: %v", err)
	}
}
