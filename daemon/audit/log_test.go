package audit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/logtest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

func number(n uint32) *uint32 { return &n }

func TestEntry(t *testing.T) {
	e := Entry{
		Time: noon, Action: Grant, Outcome: Done, UID: number(0), User: "root", GID: number(0), PID: 12, LoginUID: number(1000), LoginUser: "ana",
		ClaimedSudoUser: "an\x1ba", Source: "203.0.113.9", Port: "tcp/22", TTL: "10m", Grant: 7,
	}
	const line = `{"time":"2026-03-01T12:00:00.25Z","action":"grant","outcome":"done","uid":0,"user":"root","gid":0,"pid":12,"login_uid":1000,"login_user":"ana",` +
		`"claimed_sudo_user":"an\u001ba","source":"203.0.113.9","port":"tcp/22","ttl":"10m","grant":7}` + "\n"
	if diff := cmp.Diff(line, string(e.Line())); diff != "" {
		t.Errorf("the line (-want +got):\n%s", diff)
	}
	pairs := []any{
		"action", "grant", "outcome", "done", "uid", uint32(0), "user", "root", "gid", uint32(0), "pid", 12, "login_uid", uint32(1000), "login_user", "ana",
		"claimed_sudo_user", "an\uFFFDa", "source", "203.0.113.9", "port", "tcp/22", "ttl", "10m", "grant", uint64(7),
	}
	if diff := cmp.Diff(pairs, e.Pairs()); diff != "" {
		t.Errorf("the pairs (-want +got):\n%s", diff)
	}
	if got, err := Parse(e.Line()); err != nil || !cmp.Equal(got, e) {
		t.Errorf("read again: %+v, %v", got, err)
	}
	if _, err := Parse([]byte("{")); err == nil || !strings.HasPrefix(err.Error(), "reading an entry of the audit log: ") {
		t.Errorf("half a line: %v", err)
	}
	e.Detail = strings.Repeat("x", maxText)
	if !strings.Contains(string(e.Line()), e.Detail+`"`) {
		t.Error("a detail of the largest size is not whole")
	}
	e.Detail += "y"
	e.From = e.Detail
	if n := (len(e.Line()) - len(line)) / 2; n < maxText || n > maxText+30 || strings.Contains(string(e.Line()), "xy") {
		t.Errorf("a long detail takes %d bytes", n)
	}
}

// added returns an audit log, and what adds entries and waits until they are written.
func added(t *testing.T, path string) (l *Log, said *logtest.Buffer, add func(...Entry)) {
	t.Helper()
	said = &logtest.Buffer{}
	l = New(path, false, hclog.New(&hclog.LoggerOptions{Output: said, DisableTime: true}))
	return l, said, func(all ...Entry) {
		t.Helper()
		flush := l.Start()
		for _, e := range all {
			l.Add(e)
		}
		flush()
	}
}

// has compares the lines of a file.
func has(t *testing.T, path string, want ...Entry) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []Entry
	for line := range bytes.Lines(text) {
		e, err := Parse(line)
		if err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestEntriesAreInTheFileAndTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	l, said, add := added(t, path)
	one, two, three := Entry{Time: noon, Action: Reload, Outcome: "applied"}, Entry{Time: noon, Action: Signal, Signal: "SIGHUP"}, Entry{Time: noon, Action: Confirm}
	add(one, two)
	has(t, path, one, two)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file has the mode %v, %v", info.Mode(), err)
	}
	if want := "[INFO]  audit: action=reload outcome=applied\n[INFO]  audit: action=signal signal=SIGHUP\n"; said.String() != want {
		t.Errorf("the log says\n%s", said)
	}

	t.Log("# a file that was moved away needs no signal")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	add(three)
	has(t, path, three)
	has(t, path+".old", one, two)
	if l.Failure() != "" {
		t.Errorf("it failed: %s", l.Failure())
	}

	t.Log("# without a file the log has them")
	said.Reset()
	none, said, add := added(t, "")
	add(one)
	if !strings.Contains(said.String(), "action=reload") || none.Failure() != "" {
		t.Errorf("the log says %s, %s", said, none.Failure())
	}
}

func TestWhatIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", Name)
	l, said, add := added(t, path)
	one := Entry{Time: noon, Action: Grant}
	add(one, one)
	if !strings.Contains(l.Failure(), "no such file") || strings.Count(said.String(), "[WARN]  entries of the audit log are not in its file, and only here") != 1 {
		t.Errorf("it failed with %q, and the log says\n%s", l.Failure(), said)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	add(Entry{Time: noon.Add(time.Hour), Action: Grant})
	has(t, path, Entry{Time: noon.Add(time.Hour), Action: Lost, Count: 2}, Entry{Time: noon.Add(time.Hour), Action: Grant})
	if l.Failure() != "" {
		t.Errorf("it still fails: %s", l.Failure())
	}
}

func TestTheFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	one := Entry{Time: noon, Action: Grant}
	size := int64(len(one.Line()))
	f := &file{path: path, max: 2 * size, log: hclog.NewNullLogger()}
	for range 5 {
		if err := f.append(one.Line()); err != nil {
			t.Fatal(err)
		}
	}
	has(t, path, one)
	has(t, path+Suffix, one, one)

	t.Log("# one that logrotate rotates is left to it")
	other := filepath.Join(t.TempDir(), Name)
	if err := errors.Join(os.WriteFile(other, nil, 0o600), os.Truncate(other, maxFile)); err != nil {
		t.Fatal(err)
	}
	for _, own := range []bool{false, true} {
		if err := New(other, own, hclog.NewNullLogger()).file.append(one.Line()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(other + Suffix); (err == nil) != own {
			t.Errorf("our own file: %v, moved away: %v", own, err == nil)
		}
	}
}

// TestNoPartOfALineStays has a disk that takes a part of a line. A limit on files does the same to
// a child process.
func TestNoPartOfALineStays(t *testing.T) {
	const variable, whole = "SESAME_TEST_AUDIT", "a whole line\n"
	if path := os.Getenv(variable); path != "" {
		signal.Ignore(unix.SIGXFSZ)
		f := &file{path: path, max: maxFile, log: hclog.NewNullLogger()}
		err := errors.Join(f.append([]byte(whole)), unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(len(whole)) + 5, Max: uint64(len(whole)) + 5}))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.append([]byte("another line\n")); !errors.Is(err, unix.EFBIG) {
			t.Errorf("error %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), Name)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestNoPartOfALineStays$")
	cmd.Env = append(os.Environ(), variable+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != whole {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// FuzzEntry has texts that others choose. Each entry is one line, and is read as it was written,
// but for what is no text.
func FuzzEntry(f *testing.F) {
	f.Add("a\nb", "\x1b[2J", "ana\x00")
	f.Fuzz(func(t *testing.T, detail, from, name string) {
		e := Entry{Time: noon, Action: Reload, Detail: detail, From: from, ClaimedSudoUser: name}
		line := e.Line()
		if bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%d lines: %q", bytes.Count(line, []byte("\n")), line)
		}
		got, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(from) && got.From != from {
			t.Errorf("%q was read as %q", from, got.From)
		}
		_, _ = Parse([]byte(detail))
		for _, value := range e.Pairs() {
			if text, ok := value.(string); ok && strings.ContainsAny(text, "\x1b\x00") {
				t.Errorf("the log gets %q", text)
			}
		}
	})
}
