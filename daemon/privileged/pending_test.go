//go:build linux

package privileged

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"sesame/daemon/effect"
)

// Without a daemon all that is pending runs, each undo once, and what fails or is of a newer
// version stays and is named.
func TestSettlingWithoutADaemon(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "helper")
	if all, err := Pending(dir); err != nil || all != nil {
		t.Errorf("without a directory: %q, %v", all, err)
	}
	must(t, os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, journalName), journalOf(`{"owed":{"id":1,"argv":["/x","newer"],"timeout":"1s"}}`), 0o600))
	j := opened(t, dir)
	must(t, j.owe(undoOf(w.program, "unban")), j.owe(undoOf(w.program, "fail", "undo")), j.owe(undoOf(w.program, "unban")), j.close())
	failing, newer := w.program+" fail undo", "/x newer"
	all, err := Pending(dir)
	must(t, err)
	if diff := cmp.Diff([]string{w.program + " unban", failing, w.program + " unban", newer}, all); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
	for _, want := range []int{2, 0} { // the second time only what failed runs again
		s, err := New(Config{Settings: func() (Settings, error) { return Settings{AllowWritable: true}, nil }, Dir: dir, Log: hclog.NewNullLogger()})
		must(t, err)
		ran, left, err := s.Settle(context.Background())
		must(t, err, s.Close())
		if diff := cmp.Diff([]string{failing, newer}, left); diff != "" || ran != want {
			t.Errorf("%d ran, want %d; left (-want +got):\n%s", ran, want, diff)
		}
	}
	after, err := Pending(dir)
	must(t, err)
	if diff := cmp.Diff([]string{failing, newer}, after); diff != "" {
		t.Errorf("pending after it (-want +got):\n%s", diff)
	}
}

// A helper that runs has the journal, and two must not run its undos.
func TestSettlingBesideAHelper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	j := opened(t, dir)
	s, err := New(Config{Dir: dir, Log: hclog.NewNullLogger()})
	must(t, err)
	if _, _, err := s.Settle(context.Background()); err == nil {
		t.Error("it settles beside another helper")
	}
	must(t, s.Close(), j.close())
}

// An undo that the journal does not have is vetted, and its status counts as that of others.
func TestAnUndoOfADaemonThatWasRoot(t *testing.T) {
	w := newWorld(t)
	var settings Settings
	s, err := New(Config{Settings: func() (Settings, error) { return settings, nil }, Dir: filepath.Join(t.TempDir(), "helper"), Log: hclog.NewNullLogger()})
	must(t, err)
	run := func(anyStatus bool, argv ...string) error {
		return s.RunUndo(context.Background(), effect.Command{Argv: argv, Undo: true, Timeout: time.Minute}, anyStatus)
	}
	must(t, os.Chmod(w.program, 0o777))
	if run(false, w.program, "unban") == nil {
		t.Error("a program that others can change ran")
	}
	w.wantLog()
	settings.AllowWritable = true
	must(t, run(false, w.program, "unban"), run(true, w.program, "fail"))
	if run(false, w.program, "fail") == nil {
		t.Error("a failure counts as done")
	}
	must(t, s.Close())
}
