//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/livetest"
)

// A logReader reads what a daemon logs as knockd does: its file, and what it tells
// a system's log that is only this daemon's.
type logReader struct {
	*world
	name   string
	file   string
	within []string // what the daemon is run by, so that /dev/log is this one's

	mu     sync.Mutex
	system []string
}

// newLogReader returns one for a daemon that is still to be started.
func (w *world) newLogReader(name string) *logReader {
	w.Helper()
	devices := w.path(name + ".dev")
	if err := os.Mkdir(devices, 0o755); err != nil {
		w.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(devices, "log"), Net: "unixgram"})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	// A /dev of its own, which ends with the process.
	const mount = `touch "$1/null" && mount --bind /dev/null "$1/null" && mount --rbind "$1" /dev && shift && exec "$@"`
	s := &logReader{world: w, name: name, file: w.path(name + ".log"), within: []string{"unshare", "--mount", "/bin/sh", "-c", mount, "sh", devices}}
	go s.listen(conn)
	return s
}

func (s *logReader) listen(conn *net.UnixConn) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.system = append(s.system, string(buf[:n]))
		s.mu.Unlock()
	}
}

var (
	fileHead   = regexp.MustCompile(`^\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}\] `)
	systemHead = regexp.MustCompile(`^<29>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} knockd: `)
)

// messages returns what a log says, without what each line must begin with. Knockd
// ends some messages with an empty line, and we do not.
func messages(head *regexp.Regexp, lines []string) (messages []string) {
	for _, line := range lines {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			messages = append(messages, strings.TrimPrefix(line, head.FindString(line)))
		}
	}
	return messages
}

func (s *logReader) inFile() []string {
	text, _ := os.ReadFile(s.file) // it may come
	return messages(fileHead, slices.Collect(strings.Lines(string(text))))
}

func (s *logReader) inSystem() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return messages(systemHead, s.system)
}

// says waits until both logs end with a message.
func (s *logReader) says(message string) {
	s.Helper()
	last := func(messages []string) bool {
		return len(messages) > 0 && messages[len(messages)-1] == message
	}
	s.eventually(s.name+" says "+message, func() bool { return last(s.inFile()) && last(s.inSystem()) })
}

// TestRealKnockdsLog runs the real knockd and Sesame side by side on one machine,
// with one configuration, and compares what they log of the same knocks.
func TestRealKnockdsLog(t *testing.T) {
	const program = "/usr/sbin/knockd"
	for _, needed := range []string{program, "unshare"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skip(err)
		}
	}
	w := newWorld(t, nil)
	theirs, ours := w.newLogReader("knockd"), w.newLogReader("sesame")
	conf := w.path("knockd.conf")
	both := func(message string) {
		t.Helper()
		theirs.says(message)
		ours.says(message)
	}
	if err := os.WriteFile(conf, fmt.Appendf(nil, `
[options]
	UseSyslog
	LogFile = %s

[openSSH]
	sequence    = 7000,3000,55000,1500
	seq_timeout = 5
	command     = echo /etc/init.d/ssh start >> %[2]s
	tcpflags    = syn

[closeSSH]
	sequence    = 9000,8000,7000
	seq_timeout = 5
	command     = echo /etc/init.d/ssh stop >> %[2]s
	tcpflags    = syn

[fails]
	sequence      = 2001:udp,2002
	start_command = echo %%IP%% "a b" 'c\d'; exit 3

[timed]
	sequence      = 3001,3002
	start_command = echo in %%IP%%
	cmd_timeout   = 1
	stop_command  = echo out %%IP%%; exit 4

[long]
	sequence      = 4001
	start_command = : %[3]s

[late]
	sequence    = 5001,5002,5003
	seq_timeout = 2
`, theirs.file, w.path("services"), strings.Repeat("x", 1200)), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("knockd.lua", fmt.Sprintf("sesame.knockd %q", conf))
	settings := w.path("sesame.toml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "[log]\nknockd = %q\nknockd_syslog = true\n", ours.file), 0o644); err != nil {
		t.Fatal(err)
	}
	w.flags, w.within = []string{"-c", settings, "-i", w.net.Server.Interface}, ours.within

	knockd := exec.Command(theirs.within[0], append(theirs.within[1:], program, "-c", conf, "-i", w.net.Server.Interface)...)
	w.net.Server.Start(knockd)
	w.start()
	both("starting up, listening on " + w.net.Server.Interface)

	w.knock("tcp/7000", "tcp/3000", "tcp/55000", "tcp/1500")
	both("openSSH: running command: echo /etc/init.d/ssh start >> " + w.path("services"))
	w.knock("tcp/9000", "tcp/8000", "tcp/7000")
	both("closeSSH: running command: echo /etc/init.d/ssh stop >> " + w.path("services"))
	w.knock("udp/2001", "tcp/2002")
	both("fails: command returned non-zero status code (3)")
	w.knock("tcp/3001", "tcp/3002")
	both("timed: command returned non-zero status code (4)")
	w.knock("tcp/4001")
	both("long: running command: : " + strings.Repeat("x", 1023-len("long: running command: : ")))
	w.knockAt(server6, "tcp/3001", "tcp/3002")
	both("timed: command returned non-zero status code (4)")

	t.Log("# knockd sees that time has passed when the next packet comes")
	w.knock("tcp/5001", "tcp/5002")
	ours.says("203.0.113.9: late: sequence timeout (stage 2)")
	w.knock("tcp/7000")
	both("203.0.113.9: openSSH: Stage 1")

	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	if err := knockd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	both("shutting down")
	if len(theirs.inFile()) < 30 {
		t.Errorf("knockd says only\n%s", strings.Join(theirs.inFile(), "\n"))
	}
	if diff := cmp.Diff(theirs.inFile(), ours.inFile()); diff != "" {
		t.Errorf("the files (-knockd +sesame):\n%s", diff)
	}
	if diff := cmp.Diff(theirs.inSystem(), ours.inSystem()); diff != "" {
		t.Errorf("the system's logs (-knockd +sesame):\n%s", diff)
	}
}

// TestRealLogRotation moves the log file away, as logrotate does.
func TestRealLogRotation(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	settings, path := w.path("sesame.toml"), w.path("knockd.log")
	if err := os.WriteFile(settings, []byte("[log]\nknockd = \"knockd.log\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", settings}
	w.start()
	has := func(path string, messages ...string) {
		t.Helper()
		w.eventually(fmt.Sprintf("%s has %d lines", path, len(messages)), func() bool {
			text, _ := os.ReadFile(path) // it may come
			return strings.Count(string(text), "\n") >= len(messages)
		})
		s := &logReader{world: w, name: "sesame", file: path}
		if diff := cmp.Diff(messages, s.inFile()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	has(path, "starting up, listening on any")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	w.send(livetest.Source4(5), sshKnocks[0])
	has(path+".1", "starting up, listening on any", "198.18.0.5: ssh: Stage 1")
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	has(path, "re-reading config file: "+w.scripts)
	w.send(livetest.Source4(5), sshKnocks[1])
	has(path, "re-reading config file: "+w.scripts, "198.18.0.5: ssh: Stage 2")

	t.Log("# the same when a person asks, as systemctl reload does")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if e := w.reload(); e.status != done {
		t.Errorf("exit status %d\n%s", e.status, e.stderr)
	}
	has(path, "re-reading config file: "+w.scripts)
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	has(path, "re-reading config file: "+w.scripts, "shutting down")
}

// TestRealLogThatCannotBe says at the start what is wrong, and where.
func TestRealLogThatCannotBe(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	settings := w.path("sesame.toml")
	if err := os.WriteFile(settings, []byte("\n[log]\nknockd = \"none/knockd.log\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", settings}
	w.launch()
	if status := w.exit(); status != couldNot {
		t.Errorf("exit status %d, want %d", status, couldNot)
	}
	contains(t, w.log(), "sesame.toml:3: log.knockd: open "+w.path("none/knockd.log")+": no such file or directory; make its directory first")
}
