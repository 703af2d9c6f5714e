package knockdlog

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/daemon/logtest"
)

// A scraper reads what a knockdLog writes.
type scraper struct {
	*testing.T
	*Log
	path, socket string
	end          func() // once
	said         *logtest.Buffer
}

// says counts how often a text is in what is logged.
func (s *scraper) says(text string) int { return strings.Count(s.said.String(), text) }

// scrape starts a log. A file is named knockd.log, and the system's log listens
// at a socket of the test's own, when it does.
func scrape(t *testing.T, file, system bool) *scraper {
	t.Helper()
	dir := t.TempDir()
	s := &scraper{T: t, path: filepath.Join(dir, "knockd.log"), socket: filepath.Join(dir, "log"), said: &logtest.Buffer{}}
	settings := config.Log{KnockdSyslog: system}
	if file {
		settings.Knockd = config.Value{Text: s.path, From: "sesame.toml:3"}
	}
	logger := hclog.New(&hclog.LoggerOptions{Output: s.said})
	var err error
	if s.Log, err = Open(settings, s.socket, func(at time.Time) time.Time { return at }, logger); err != nil {
		t.Fatal(err)
	}
	s.end = sync.OnceFunc(s.Start())
	t.Cleanup(func() {
		s.end()
		_ = s.Close() // what is tested is over
	})
	return s
}

var evening = time.Date(2026, 11, 24, 23, 14, 5, 0, time.UTC)

// opens lets a door open.
func (s *scraper) opens(door string) {
	s.Events([]engine.Event{{Kind: engine.EventOpen, Time: evening, Door: door, Source: netip.MustParsePrefix("203.0.113.9/32")}})
}

// eventually waits for a condition.
func (s *scraper) eventually(what string, condition func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("never: %s", what)
		}
	}
}

// has waits until a file has exactly these lines.
func (s *scraper) has(path string, lines ...string) {
	s.Helper()
	want := strings.Join(lines, "\n") + "\n"
	read := func() string {
		text, _ := os.ReadFile(path) // it may come
		return string(text)
	}
	for deadline := time.Now().Add(20 * time.Second); read() != want; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%s (-want +got):\n%s", path, cmp.Diff(want, read()))
		}
	}
}

// listen makes somebody listen at the system's log, as most do: for datagrams.
func (s *scraper) listen() *net.UnixConn {
	s.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() }) // some are closed before
	return conn
}

// next returns the next datagram.
func (s *scraper) next(conn *net.UnixConn) string {
	s.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		s.Fatalf("reading the system's log: %v", err)
	}
	return string(buf[:n])
}

func TestKnockdsFile(t *testing.T) {
	s := scrape(t, true, false)
	s.Started(evening, []string{"eth0"})
	s.opens("openSSH")
	s.Message(evening, "shutting down")
	s.end()
	s.has(s.path, "[2026-11-24 23:14] starting up, listening on eth0", "[2026-11-24 23:14] 203.0.113.9: openSSH: OPEN SESAME", "[2026-11-24 23:14] shutting down")
}

func TestKnockdsFileIsRotated(t *testing.T) {
	s := scrape(t, true, true)
	log := s.listen()
	s.opens("one")
	s.has(s.path, "[2026-11-24 23:14] 203.0.113.9: one: OPEN SESAME")
	if err := os.Rename(s.path, s.path+".1"); err != nil {
		t.Fatal(err)
	}
	s.opens("two")
	s.has(s.path+".1", "[2026-11-24 23:14] 203.0.113.9: one: OPEN SESAME", "[2026-11-24 23:14] 203.0.113.9: two: OPEN SESAME")

	t.Log("# SIGHUP")
	s.Reopen()
	s.Rereading(evening, "/etc/sesame/scripts")
	s.opens("three")
	s.has(s.path, "[2026-11-24 23:14] re-reading config file: /etc/sesame/scripts", "[2026-11-24 23:14] 203.0.113.9: three: OPEN SESAME")
	s.has(s.path+".1", "[2026-11-24 23:14] 203.0.113.9: one: OPEN SESAME", "[2026-11-24 23:14] 203.0.113.9: two: OPEN SESAME")
	for _, want := range []string{"203.0.113.9: one: OPEN SESAME", "203.0.113.9: two: OPEN SESAME", "re-reading config file: /etc/sesame/scripts", "re-opening log file: " + s.path, "203.0.113.9: three: OPEN SESAME"} {
		if got := s.next(log); got != "<29>Nov 24 23:14:05 knockd: "+want {
			t.Errorf("the system's log got %q, want %q", got, want)
		}
	}

	t.Log("# the new file cannot be made: better the old one than none")
	if err := errors.Join(os.Rename(s.path, s.path+".1"), os.Mkdir(s.path, 0o755)); err != nil {
		t.Fatal(err)
	}
	s.Reopen()
	s.opens("four")
	s.has(s.path+".1", "[2026-11-24 23:14] re-reading config file: /etc/sesame/scripts", "[2026-11-24 23:14] 203.0.113.9: three: OPEN SESAME", "[2026-11-24 23:14] 203.0.113.9: four: OPEN SESAME")
	if s.says("could not be opened anew: they still go to the old one") != 1 {
		t.Errorf("it says %s", s.said)
	}
}

// Nothing is lost while the file is opened anew again and again.
func TestKnockdsFileIsRotatedUnderLoad(t *testing.T) {
	s := scrape(t, true, false)
	const lines = 1000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			_ = os.Rename(s.path, fmt.Sprintf("%s.%d", s.path, i)) // it is there
			s.Reopen()
		}
	}()
	for i := range lines {
		s.opens(fmt.Sprintf("door%d", i))
	}
	<-done
	s.end()
	files, err := filepath.Glob(s.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got += strings.Count(string(text), ": OPEN SESAME\n")
	}
	if got != lines {
		t.Errorf("%d lines in %d files, want %d", got, len(files), lines)
	}
}

func TestAFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ path, want string }{
		{"no/knockd.log", "/knockd.log: no such file or directory; make its directory first"},
		{".", ": it is a directory"},
	} {
		path := filepath.Join(dir, tt.path)
		_, err := Open(config.Log{Knockd: config.Value{Text: path, From: "sesame.toml:3"}}, SystemSocket, nil, hclog.NewNullLogger())
		if err == nil || !strings.HasPrefix(err.Error(), "sesame.toml:3: log.knockd: open "+dir) || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q at its end", tt.path, err, tt.want)
		}
	}
	for err, want := range map[error]string{
		unix.EROFS:  "sesame.toml:3: log.knockd: read-only file system; where a unit confines Sesame, add the line ReadWritePaths=/var/log to it",
		unix.EACCES: "sesame.toml:3: log.knockd: permission denied; it must belong to the user that Sesame runs as (in logrotate: create 640 sesame adm), or be in a directory of that user",
	} {
		if got := openError(config.Value{Text: "/var/log/knockd.log", From: "sesame.toml:3"}, err).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheSystemsLogComesAndGoes(t *testing.T) {
	const head = "<29>Nov 24 23:14:05 knockd: "
	s := scrape(t, false, true)
	t.Log("# nobody listens yet: that is said once")
	s.opens("one")
	s.opens("two")
	s.eventually("two lines are lost", func() bool { return s.sinks[0].out.Lost() == 2 })
	if s.says("does not take the lines") != 1 {
		t.Errorf("it says %s", s.said)
	}

	t.Log("# somebody does, and hears what was lost")
	first := s.listen()
	s.opens("three")
	for _, want := range []string{"(2 lines were lost here)", "203.0.113.9: three: OPEN SESAME"} {
		if got := s.next(first); got != head+want {
			t.Errorf("got %q, want %q", got, head+want)
		}
	}

	t.Log("# it is started again: not a line is lost")
	if err := errors.Join(first.Close(), os.RemoveAll(s.socket)); err != nil {
		t.Fatal(err)
	}
	second := s.listen()
	s.opens("four")
	if got := s.next(second); got != head+"203.0.113.9: four: OPEN SESAME" {
		t.Errorf("got %q", got)
	}
	s.end()
	if s.says("does not take the lines") != 1 {
		t.Errorf("it says %s", s.said)
	}
}

// A stream has no ends of lines but zero bytes, as libc writes them.
func TestTheSystemsLogAsAStream(t *testing.T) {
	s := scrape(t, false, true)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s.opens("one")
	s.opens("two")
	conn, err := listener.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const want = "<29>Nov 24 23:14:05 knockd: 203.0.113.9: one: OPEN SESAME\x00<29>Nov 24 23:14:05 knockd: 203.0.113.9: two: OPEN SESAME\x00"
	got := ""
	for len(got) < len(want) {
		got += s.next(conn)
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A system's log that does not read delays nothing, and learns how much it missed.
func TestASystemsLogThatHangs(t *testing.T) {
	s := scrape(t, false, true)
	log := s.listen()
	for range 5000 {
		s.opens("openSSH")
	}
	s.eventually("lines are lost", func() bool { return s.sinks[0].out.Lost() > 0 })
	told := ""
	for read := 0; told == ""; read++ {
		if read > 5000 {
			t.Fatal("nobody said that lines were lost")
		}
		if line := s.next(log); strings.Contains(line, "lost here") {
			told = line
		}
		s.opens("another")
	}
	if !strings.HasPrefix(told, "<29>Nov 24 23:14:05 knockd: (") || !strings.HasSuffix(told, " lines were lost here)") {
		t.Errorf("it is told %q", told)
	}
}

// One that hangs is ended by its owner, while a line waits for it.
func TestASystemsLogThatHangsIsRestarted(t *testing.T) {
	s := scrape(t, false, true)
	first := s.listen()
	for range 5000 {
		s.opens("openSSH")
	}
	s.eventually("lines are lost", func() bool { return s.sinks[0].out.Lost() > 0 })
	if err := errors.Join(first.Close(), os.RemoveAll(s.socket)); err != nil {
		t.Fatal(err)
	}
	second := s.listen()
	for range 100 {
		s.opens("another") // nobody knows what was lost before the second one listened
		if got := s.next(second); !strings.HasPrefix(got, "<29>Nov 24 23:14:05 knockd: ") {
			t.Fatalf("got %q", got)
		}
	}
}
