package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logtest"
)

// watchFiles runs a watcher of a file and of a directory, until the test ends.
func watchFiles(t *testing.T, file, directory string, change func(*Watcher)) *watching {
	t.Helper()
	s := &watching{t: t, hints: make(chan struct{}, 1), log: &logtest.Buffer{}}
	files := make(chan []string, 1)
	files <- []string{file}
	w := NewFiles(files, []string{directory}, 20*time.Millisecond, hclog.New(&hclog.LoggerOptions{Output: s.log}))
	w.interval, w.poll = time.Hour, time.Hour
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx, s.hints) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	s.want("the first hint")
	s.settle()
	return s
}

func TestEachWayToChangeAFileIsHinted(t *testing.T) {
	dir := t.TempDir()
	file, directory := filepath.Join(dir, "there/a.mmdb"), filepath.Join(dir, "usual")
	s := watchFiles(t, file, directory, nil)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"its directory and the file come", func() error {
			must(t, os.Mkdir(dir+"/there", 0o700))
			return os.WriteFile(file, []byte("1"), 0o600)
		}},
		{"it is written in place", func() error { return os.WriteFile(file, []byte("22"), 0o600) }},
		{"another takes its place", func() error {
			must(t, os.WriteFile(file+"~", []byte("3"), 0o600))
			return os.Rename(file+"~", file)
		}},
		{"it becomes a link", func() error {
			must(t, os.WriteFile(dir+"/target", []byte("3"), 0o600), os.Remove(file))
			return os.Symlink(dir+"/target", file)
		}},
		{"the target of the link is written", func() error { return os.WriteFile(dir+"/target", []byte("4444"), 0o600) }},
		{"it is removed", func() error { return os.Remove(file) }},
		{"the directory comes", func() error { return os.Mkdir(directory, 0o700) }},
		{"any file comes into the directory", func() error { return os.WriteFile(directory+"/b.mmdb", []byte("1"), 0o600) }},
	} {
		must(t, step.do())
		s.want(step.name)
		s.settle()
	}
}

// A file that is being written is not hinted: it is half of itself.
func TestAFileThatGrowsIsNotHinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.mmdb")
	s := watchFiles(t, file, t.TempDir(), func(w *Watcher) { w.settle = time.Second })
	out, err := os.Create(file)
	must(t, err)
	for range 30 {
		_, err := out.WriteString("more")
		must(t, err)
		select {
		case <-s.hints:
			t.Fatal("a hint, and the file grows")
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(t, out.Close())
	s.want("the last byte")
}

// Without events the sizes and times are compared, and a file that grows is not hinted either.
func TestFilesAreComparedWithoutEvents(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.mmdb")
	s := watchFiles(t, file, filepath.Join(dir, "usual"), func(w *Watcher) {
		w.poll = 10 * time.Millisecond
		w.silent = func(string) string { return "it is far away" }
	})
	must(t, os.WriteFile(file, []byte("1"), 0o600))
	s.want("the file came")
}

// A large file counts as changing until two looks at it are the same. A script does not: it is
// read, and compared, in an instant.
func TestFilesAreToBeSteady(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.mmdb")
	w := NewFiles(nil, nil, time.Hour, hclog.NewNullLogger())
	w.files = []string{file}
	for _, step := range []struct {
		text string
		want bool
	}{{"1", true}, {"", false}, {"22", true}, {"333", true}, {"", false}} {
		if step.text != "" {
			writeFile(t, file, step.text)
		}
		if got := w.changing(); got != step.want {
			t.Errorf("after %q: %v", step.text, got)
		}
	}
	if New(file, nil, hclog.NewNullLogger()).changing() {
		t.Error("a script is waited for")
	}
}
