package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"sesame/daemon/logtest"
)

// A watching is a watcher that runs, and what it says.
type watching struct {
	t     *testing.T
	dir   string
	hints chan struct{}
	log   *logtest.Buffer
}

// patience is longer than anything takes here.
const patience = 20 * time.Second

// watchPath runs a watcher that never looks by itself, until the test ends. It
// returns when that is armed.
func watchPath(t *testing.T, path string, change func(*Watcher)) *watching {
	t.Helper()
	idle := goleak.IgnoreCurrent()
	s := &watching{t: t, dir: path, hints: make(chan struct{}, 1), log: &logtest.Buffer{}}
	w := New(path, nil, hclog.New(&hclog.LoggerOptions{Output: s.log}))
	w.settle, w.interval, w.poll = 20*time.Millisecond, time.Hour, time.Hour
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx, s.hints) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		goleak.VerifyNone(t, idle)
	})
	s.want("the first hint")
	return s
}

func (s *watching) want(after string) {
	s.t.Helper()
	select {
	case <-s.hints:
	case <-time.After(patience):
		s.t.Fatalf("no hint after %s; the log: %s", after, s.log)
	}
}

// settle waits until a change of all kinds was reported, and nothing is left to
// tell: the tests that follow then wait for their own hint.
func (s *watching) settle() {
	s.t.Helper()
	for quiet := time.NewTimer(80 * time.Millisecond); ; {
		select {
		case <-s.hints:
			quiet.Reset(80 * time.Millisecond)
		case <-quiet.C:
			return
		}
	}
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestEachWayToChangeScriptsIsHinted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(dir string) error
		steps  []func(dir string) error // each gives a hint
	}{
		{"a plain save", nil, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+"/a.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+"/new.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.Remove(dir + "/a.lua") },
		}},
		{"a save by renaming", nil, []func(string) error{
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+"/a.lua~", []byte("2"), 0o600), os.Rename(dir+"/a.lua~", dir+"/a.lua"))
			},
			func(dir string) error {
				return errors.Join(os.Rename(dir+"/a.lua", dir+"/a.lua~"), os.WriteFile(dir+"/a.lua", []byte("3"), 0o600), os.Remove(dir+"/a.lua~"))
			},
		}},
		{"a file from elsewhere", nil, []func(string) error{
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+"/../b", []byte("2"), 0o600), os.Rename(dir+"/../b", dir+"/b.lua"))
			},
			func(dir string) error { return os.Rename(dir+"/b.lua", dir+"/../b") },
		}},
		{"a module", func(dir string) error { return os.MkdirAll(dir+"/lib/deep", 0o700) }, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+"/lib/m.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+"/lib/deep/m.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.RemoveAll(dir + "/lib") },
		}},
		{"lib made later", nil, []func(string) error{
			func(dir string) error { return os.Mkdir(dir+"/lib", 0o700) },
			func(dir string) error { return os.WriteFile(dir+"/lib/m.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.Mkdir(dir+"/lib/deep", 0o700) },
			func(dir string) error { return os.WriteFile(dir+"/lib/deep/m.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+"/lib/deep/m.lua", []byte("3"), 0o600) },
		}},
		{"a directory that comes back", nil, []func(string) error{
			os.RemoveAll,
			func(dir string) error { return os.Mkdir(dir, 0o700) },
			func(dir string) error { return os.WriteFile(dir+"/a.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.Rename(dir, dir+".old") },
			func(dir string) error { return os.Rename(dir+".old", dir) },
			func(dir string) error { return os.WriteFile(dir+"/a.lua", []byte("3"), 0o600) },
			func(dir string) error { return os.RemoveAll(filepath.Dir(dir)) },
			func(dir string) error { return os.MkdirAll(dir, 0o700) },
			func(dir string) error { return os.WriteFile(dir+"/a.lua", []byte("4"), 0o600) },
		}},
		{"a directory exchanged at once", func(dir string) error {
			return errors.Join(os.Mkdir(dir+".next", 0o700), os.WriteFile(dir+".next/a.lua", []byte("2"), 0o600))
		}, []func(string) error{
			func(dir string) error { return unix.Renameat2(0, dir+".next", 0, dir, unix.RENAME_EXCHANGE) },
			func(dir string) error { return os.WriteFile(dir+"/a.lua", []byte("3"), 0o600) },
		}},
		{"a volume of Kubernetes", func(dir string) error {
			return errors.Join(os.Remove(dir+"/a.lua"), os.Mkdir(dir+"/..1", 0o700), os.WriteFile(dir+"/..1/a.lua", []byte("1"), 0o600),
				os.Symlink("..1", dir+"/..data"), os.Symlink("..data/a.lua", dir+"/a.lua"))
		}, []func(string) error{kubernetes("..1", "..2"), kubernetes("..2", "..3"), kubernetes("..3", "..4")}},
		{"links to elsewhere", func(dir string) error {
			elsewhere := dir + ".elsewhere"
			return errors.Join(os.Mkdir(elsewhere, 0o700), os.WriteFile(elsewhere+"/b.lua", []byte("1"), 0o600),
				os.Symlink(elsewhere+"/b.lua", dir+"/b.lua"), os.Mkdir(elsewhere+"/lib", 0o700), os.Symlink("../scripts.elsewhere/lib", dir+"/lib"))
		}, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+".elsewhere/b.lua", []byte("2"), 0o600) },
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+".elsewhere/new", []byte("3"), 0o600), os.Rename(dir+".elsewhere/new", dir+".elsewhere/b.lua"))
			},
			func(dir string) error { return os.WriteFile(dir+".elsewhere/b.lua", []byte("4"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+".elsewhere/lib/m.lua", []byte("4"), 0o600) },
		}},
		{"the whole directory a link", func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".1"), os.Mkdir(dir+".2", 0o700), os.Symlink("scripts.1", dir))
		}, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+".1/a.lua", []byte("2"), 0o600) },
			func(dir string) error {
				return errors.Join(os.Symlink(dir+".2", dir+".new"), os.Rename(dir+".new", dir))
			},
			func(dir string) error { return os.WriteFile(dir+".2/a.lua", []byte("2"), 0o600) },
			func(dir string) error { return os.RemoveAll(dir + ".2") },
			func(dir string) error { return os.Mkdir(dir+".2", 0o700) },
			func(dir string) error { return os.WriteFile(dir+".2/a.lua", []byte("2"), 0o600) },
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "scripts")
			must(t, os.MkdirAll(dir, 0o700))
			writeFile(t, dir+"/a.lua", "1")
			if tt.before != nil {
				must(t, tt.before(dir))
			}
			s := watchPath(t, dir, nil)
			for i, step := range tt.steps {
				must(t, step(dir))
				s.want(fmt.Sprintf("step %d", i))
				s.settle()
			}
		})
	}
}

// kubernetes exchanges all files of a volume as the kubelet does.
func kubernetes(before, after string) func(string) error {
	return func(dir string) error {
		return errors.Join(os.Mkdir(dir+"/"+after, 0o700), os.WriteFile(dir+"/"+after+"/a.lua", []byte(after), 0o600),
			os.Symlink(after, dir+"/..data_tmp"), os.Rename(dir+"/..data_tmp", dir+"/..data"), os.RemoveAll(dir+"/"+before))
	}
}

func TestASingleScript(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.lua", "1")
	s := watchPath(t, dir+"/a.lua", nil)
	for i, step := range []func() error{
		func() error { return os.WriteFile(dir+"/a.lua", []byte("2"), 0o600) },
		func() error { return os.Remove(dir + "/a.lua") },
		func() error { return os.WriteFile(dir+"/a.lua", []byte("3"), 0o600) },
		func() error { return os.Mkdir(dir+"/lib", 0o700) },
		func() error { return os.WriteFile(dir+"/lib/m.lua", []byte("2"), 0o600) },
	} {
		must(t, step())
		s.want(fmt.Sprint("step ", i))
		s.settle()
	}
}

func TestADirectoryThatIsNotThereYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "scripts")
	s := watchPath(t, dir, nil)
	for name := range strings.SplitSeq("a a/b a/b/scripts", " ") {
		must(t, os.Mkdir(filepath.Join(strings.TrimSuffix(dir, "a/b/scripts"), name), 0o700))
		s.want("making " + name)
		s.settle()
	}
	writeFile(t, dir+"/a.lua", "1")
	s.want("a first script")
}

// TestALogInTheSameDirectoryDelaysNothing writes other files all the time. Would
// those count, no moment would be quiet.
func TestALogInTheSameDirectoryDelaysNothing(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.lua", "1")
	s := watchPath(t, dir, func(w *Watcher) { w.settle, w.limit = 100*time.Millisecond, time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	defer func() {
		cancel()
		must(t, <-done)
	}()
	busy := make(chan struct{})
	go func() {
		var errs error
		for i := 0; ctx.Err() == nil && errs == nil; i++ {
			errs = errors.Join(os.WriteFile(dir+"/sesame.log", fmt.Appendf(nil, "line %d", i), 0o600),
				os.WriteFile(dir+"/.a.lua.swp", nil, 0o600), os.Remove(dir+"/.a.lua.swp"))
			if i == 100 {
				close(busy)
			}
		}
		done <- errs
	}()
	<-busy
	writeFile(t, dir+"/a.lua", "2")
	s.want("a save beside a log")
}

// TestASteadyStreamOfSavesIsHinted saves a script all the time, so that no moment
// is quiet.
func TestASteadyStreamOfSavesIsHinted(t *testing.T) {
	dir := t.TempDir()
	s := watchPath(t, dir, func(w *Watcher) { w.settle, w.limit = time.Hour, 50*time.Millisecond })
	for range 3 {
		writeFile(t, dir+"/a.lua", "1")
		s.want("a save")
	}
}

func TestManyFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := watchPath(t, dir, nil)
	must(t, os.MkdirAll(dir+"/lib", 0o700))
	for i := range 500 {
		writeFile(t, fmt.Sprintf("%s/%d.lua", dir, i), "1")
		must(t, os.Mkdir(fmt.Sprintf("%s/lib/%d", dir, i), 0o700))
		writeFile(t, fmt.Sprintf("%s/lib/%d/m.lua", dir, i), "1")
	}
	s.want("many files")
	s.settle()
	writeFile(t, dir+"/lib/499/m.lua", "2")
	s.want("a change in the last")
}

func TestWhatMatters(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/lib", 0o700), os.Mkdir(dir+"/other", 0o700), os.Symlink("x", dir+"/link"))
	writeFile(t, dir+"/a.lua", "1")
	writeFile(t, dir+"/log", "1")
	w := New(dir, nil, hclog.NewNullLogger())
	w.update()
	defer w.closeEvents()
	for _, tt := range []struct {
		name string
		op   fsnotify.Op
		want bool
	}{
		{"a.lua", fsnotify.Write, true},
		{"a.lua", fsnotify.Chmod, true},
		{"a.lua", fsnotify.Chmod | fsnotify.Write, true},
		{"a_test.lua", fsnotify.Write, true},
		{"gone.lua", fsnotify.Remove, true},
		{"lib/m.lua", fsnotify.Create, true},
		{"lib", fsnotify.Chmod, true},
		{"lib", fsnotify.Remove, true},
		{"other", fsnotify.Create, true},
		{"link", fsnotify.Create, true},
		{"..data", fsnotify.Create, true},
		{"..data_tmp", fsnotify.Create, false},
		{".a.lua", fsnotify.Write, false},
		{".#a.lua", fsnotify.Create, false},
		{"a.lua~", fsnotify.Create, false},
		{"4913", fsnotify.Create, false},
		{"log", fsnotify.Create, false},
		{"log", fsnotify.Write, false},
		{"log", fsnotify.Chmod, false},
		{"log", fsnotify.Rename, false},
		{"", fsnotify.Remove, true},
		{"../else.lua", fsnotify.Write, false},
	} {
		if got := w.matters(fsnotify.Event{Name: filepath.Join(dir, tt.name), Op: tt.op}); got != tt.want {
			t.Errorf("%s %s matters: %v, want %v", tt.op, tt.name, got, tt.want)
		}
	}
	if w.matters(fsnotify.Event{}) {
		t.Error("nothing matters")
	}
}

func TestWithoutEvents(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.lua", "1")
	s := watchPath(t, dir, func(w *Watcher) {
		w.settle, w.limit, w.poll = time.Hour, time.Hour, 10*time.Millisecond
		w.silent = func(string) string { return "it is far away" }
	})
	for i := range 5 {
		writeFile(t, dir+"/a.lua", fmt.Sprint(i))
		s.want("a change that no event tells")
	}
	must(t, os.RemoveAll(dir))
	s.want("the end of the directory")
	must(t, os.Mkdir(dir, 0o700))
	s.want("its return")
	if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, `reason="it is far away"`) {
		t.Errorf("the log: %s", log)
	}
}

func TestTheBackstop(t *testing.T) {
	dir := t.TempDir()
	s := watchPath(t, dir, func(w *Watcher) { w.settle, w.limit, w.interval = time.Hour, time.Hour, 10*time.Millisecond })
	writeFile(t, dir+"/a.lua", "1")
	s.want("a change whose event was lost")
	if log := s.log.String(); log != "" {
		t.Errorf("the log: %s", log)
	}
}

func TestAFailureOfTheEvents(t *testing.T) {
	dir := t.TempDir()
	log := &logtest.Buffer{}
	w := New(dir, nil, hclog.New(&hclog.LoggerOptions{Output: log}))
	w.update()
	defer w.closeEvents()
	w.failed(fsnotify.ErrEventOverflow)
	if w.events == nil || !strings.Contains(log.String(), "file events were lost") {
		t.Errorf("after an overflow: %v, %s", w.events, log)
	}
	w.failed(errors.New("short read"))
	if w.events != nil || !strings.Contains(log.String(), "short read") {
		t.Errorf("after an error: %v, %s", w.events, log)
	}
	if w.update(); w.events == nil || w.polling {
		t.Error("it was not armed again")
	}
}

func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.lua", "1")
	before := fingerprint(dir, nil)
	steps := []func() error{
		func() error { return os.WriteFile(dir+"/a.lua", []byte("2"), 0o600) },
		func() error { return os.Rename(dir+"/a.lua", dir+"/b.lua") },
		func() error { return os.MkdirAll(dir+"/lib/deep", 0o700) },
		func() error { return os.WriteFile(dir+"/lib/deep/m.lua", []byte("2"), 0o600) },
		func() error { return os.WriteFile(dir+"/log", []byte("2"), 0o600) },
		func() error { return os.Chmod(dir+"/b.lua", 0o644) },
		func() error { return os.RemoveAll(dir) },
	}
	for i, changes := range []bool{true, true, false, true, false, false, true} {
		must(t, steps[i]())
		after := fingerprint(dir, nil)
		if (after != before) != changes {
			t.Errorf("step %d changes it: %v, want %v", i, after != before, changes)
		}
		before = after
	}
}

func TestDeafFileSystems(t *testing.T) {
	if reason := withoutEvents("/proc/self"); reason != "/proc/self is on a file system of the kernel" {
		t.Errorf("proc: %q", reason)
	}
	if reason := withoutEvents(t.TempDir()); reason != "" {
		t.Errorf("a directory of ours: %q", reason)
	}
}

// TestRealMountedFile mounts a single file, as containers do, and changes it
// where it comes from.
func TestRealMountedFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a file needs root")
	}
	outside, inside := t.TempDir(), t.TempDir()
	writeFile(t, outside+"/a.lua", "1")
	writeFile(t, inside+"/a.lua", "")
	hints := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its mounts
		err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount(outside+"/a.lua", inside+"/a.lua", "", unix.MS_BIND, ""))
		if err == nil {
			w := New(inside, nil, hclog.NewNullLogger())
			w.interval = time.Hour
			err = w.Run(ctx, hints)
		}
		done <- err
	}()
	for i := range 3 {
		select {
		case <-hints:
			writeFile(t, outside+"/a.lua", fmt.Sprint("2", i))
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-time.After(patience):
			t.Fatalf("no hint after change %d", i)
		}
	}
	cancel()
	must(t, <-done)
}
