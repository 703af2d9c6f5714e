package daemon

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/daemon/logtest"
)

// openKnockdLog opens a log of knockd's lines in a file.
func openKnockdLog(t *testing.T, path string, log hclog.Logger) *knockdlog.Log {
	t.Helper()
	l, err := knockdlog.Open(config.Log{Knockd: config.Value{Text: path}}, "", func(at time.Time) time.Time { return at }, log)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// What a stranger can make happen as often as they like is bounded in the file too.
func TestAFloodDoesNotFillTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "knockd.log")
	l := openKnockdLog(t, path, hclog.NewNullLogger())
	flush := l.Start()
	r := newReporter(control.NewTail(), l, nil, hclog.NewNullLogger())
	begin := time.Date(2026, 11, 24, 23, 14, 5, 0, time.UTC)
	stage := engine.Event{Kind: engine.EventStage, Door: "openSSH", Source: netip.MustParsePrefix("203.0.113.9/32"), Stage: 1, Stages: 3}
	for i := range 100_000 {
		stage.Time = begin.Add(time.Duration(i) * 10 * time.Microsecond) // a second in all
		r.events([]engine.Event{stage})
	}
	flush()
	text, err := os.ReadFile(path)
	must(t, err)
	if n := strings.Count(string(text), "\n"); n < 500 || n > 1200 {
		t.Errorf("%d lines of 100,000 first stages in a second, want the burst of 1,000 and 100 more", n)
	}
}

// TestRealLogWithoutPrivileges rotates in a process of its own that has given up
// what root has beyond its own files.
func TestRealLogWithoutPrivileges(t *testing.T) {
	const variable = "SESAME_TEST_ROTATION"
	if path := os.Getenv(variable); path != "" {
		rotateHere(t, path)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: nothing to drop")
	}
	dir := t.TempDir()
	path, theirs := filepath.Join(dir, "knockd.log"), filepath.Join(dir, "theirs.log")
	must(t, os.WriteFile(theirs, nil, 0o640), os.Chown(theirs, 65534, 65534))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealLogWithoutPrivileges$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const head = "[2026-11-24 23:14] "
	for name, want := range map[string]string{path + ".1": head + "one\n", path + ".2": head + "two\n" + head + "three\n", path: ""} {
		if text, err := os.ReadFile(name); err != nil || string(text) != want {
			t.Errorf("%s has %q, %v, want %q", filepath.Base(name), text, err, want)
		}
	}
}

// rotateHere gives up the privileges of this process, and has its file rotated:
// first as root's, then as one that belongs to somebody else.
func rotateHere(t *testing.T, path string) {
	said := &logtest.Buffer{}
	l := openKnockdLog(t, path, hclog.New(&hclog.LoggerOptions{Output: said}))
	if _, err := dropPrivileges(false); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		flush := l.Start()
		l.Message(time.Date(2026, 11, 24, 23, 14, 5, 0, time.UTC), text)
		flush()
	}
	write("one")
	must(t, os.Rename(path, path+".1"))
	l.Reopen()
	if said.String() != "" {
		t.Errorf("a file of our own: %s", said)
	}
	write("two")
	must(t, os.Rename(path, path+".2"), os.Rename(filepath.Join(filepath.Dir(path), "theirs.log"), path))
	if l.Reopen(); !strings.Contains(said.String(), os.ErrPermission.Error()) {
		t.Errorf("a file of another user was opened without a privilege: %s", said)
	}
	write("three")
}
