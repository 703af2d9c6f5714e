//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/control"
)

// A subject is a running program that is measured.
type subject struct {
	l       *liveBench
	doors   []liveDoor
	cmd     *exec.Cmd
	exited  chan struct{}
	written string          // what it wrote to its output, a file
	log     string          // of knockd: its log file
	scripts string          // of sesame: a directory
	client  *control.Client // of sesame; nil: it is knockd
}

// startSesame starts sesame with its state at some place, and waits until it is
// ready, or has ended.
func (l *liveBench) startSesame(state string, doors ...liveDoor) *subject {
	l.Helper()
	dir := l.TempDir()
	s := &subject{l: l, doors: doors, scripts: filepath.Join(dir, "scripts"), client: control.Dial(filepath.Join(dir, "socket"))}
	if err := os.Mkdir(s.scripts, 0o755); err != nil {
		l.Fatal(err)
	}
	var text strings.Builder
	for _, d := range doors {
		text.WriteString(d.script())
	}
	s.write("doors.lua", text.String())
	s.start(exec.Command(l.program, "run", "-s", s.scripts, "--state", filepath.Join(state, "state"), "--socket", filepath.Join(dir, "socket")), dir)
	s.await(func() bool { return strings.Contains(s.output(), "ready: ") })
	return s
}

// script returns the door as sesame reads it.
func (d liveDoor) script() string {
	return fmt.Sprintf("sesame.door %q { sequence = { %s }, within = %q, guards = %q, ttl = %q }\n",
		d.name, `"`+strings.Join(d.knocks, `", "`)+`"`, seconds(d.within), d.guards, seconds(d.ttl))
}

// write gives a script its text in one step.
func (s *subject) write(name, text string) {
	s.l.Helper()
	aside := s.scripts + "." + name
	if err := errors.Join(os.WriteFile(aside, []byte(text), 0o644), os.Rename(aside, filepath.Join(s.scripts, name))); err != nil {
		s.l.Fatal(err)
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + "s" }

// knockdTable is what knockd's users have: a set whose elements end by
// themselves.
const knockdTable = `add table inet knockd
	add set inet knockd granted { type ipv4_addr; flags timeout; }
	add chain inet knockd input { type filter hook input priority 0; }
	add rule inet knockd input tcp dport 22 ct state new ip saddr != @granted drop`

// startKnockd starts knockd, and waits until it is ready, or has ended.
func (l *liveBench) startKnockd(doors ...liveDoor) *subject {
	l.Helper()
	program, err := exec.LookPath("knockd")
	if err != nil {
		l.Skip("needs knockd: apt-get install knockd")
	}
	dir := l.TempDir()
	s := &subject{l: l, doors: doors, log: filepath.Join(dir, "log")}
	l.net.Server.Exec("nft", knockdTable)
	config := "[options]\n\tlogfile = " + s.log + "\n"
	for _, d := range doors {
		config += fmt.Sprintf("[%s]\n\tsequence = %s\n\tseq_timeout = %d\n\ttcpflags = syn\n\tstart_command = nft add element inet knockd granted { %%IP%% timeout %s }\n",
			d.name, strings.ReplaceAll(strings.Join(d.knocks, ","), "tcp/", ""), int(d.within.Seconds()), seconds(d.ttl))
	}
	path := filepath.Join(dir, "knockd.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		l.Fatal(err)
	}
	s.start(exec.Command(program, "-i", l.net.Server.Interface, "-c", path), dir)
	s.await(func() bool { return strings.Contains(s.read(s.log), "listening on") })
	return s
}

func (s *subject) start(cmd *exec.Cmd, dir string) {
	s.l.Helper()
	s.written = filepath.Join(dir, "output")
	out, err := os.Create(s.written)
	if err != nil {
		s.l.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	s.cmd, s.exited = cmd, make(chan struct{})
	s.l.net.Server.Start(cmd)
	go func() {
		_ = cmd.Wait() // those who care look at the state
		close(s.exited)
	}()
	s.l.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-s.exited
	})
}

// await waits until a subject reports that it is ready. One that ends instead is for the
// measurement to judge.
func (s *subject) await(ready func() bool) {
	s.l.Helper()
	if !within(patience, func() bool { return !s.running() || ready() }) {
		s.l.Fatalf("not ready in %v:\n%s", patience, s.output())
	}
}

func (s *subject) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

func (s *subject) output() string { return s.read(s.written) }

// read returns a file, or nothing when there is none.
func (s *subject) read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.l.Fatal(err)
	}
	return string(text)
}

func (s *subject) status() control.Status {
	s.l.Helper()
	status, err := s.client.Status(s.l.Context())
	if err != nil {
		s.l.Fatalf("asking sesame: %v\n%s", err, s.output())
	}
	return status
}

// packets returns how many packets sesame has looked at; 0: it is knockd.
func (s *subject) packets() int {
	s.l.Helper()
	if s.client == nil {
		return 0
	}
	return s.status().Counts.Packets
}

// taken waits until sesame has looked at so many packets, or has told how many it
// lost, and returns how many it looked at.
func (s *subject) taken(sent int) (packets int) {
	s.l.Helper()
	within(patience, func() bool {
		status := s.status()
		packets = status.Counts.Packets
		return packets+int(status.Capture.Lost) >= sent
	})
	return packets
}

// settle waits until knockd writes no more to its log.
func (s *subject) settle() {
	s.l.Helper()
	for length := -1; length != len(s.read(s.log)); <-time.After(time.Second) {
		length = len(s.read(s.log))
	}
}

// rest waits until a program needs a processor no more, and then a little longer,
// in which it may give memory back.
func (s *subject) rest() {
	s.l.Helper()
	within(patience, func() bool {
		before := s.processor()
		<-time.After(500 * time.Millisecond)
		return s.processor()-before <= 20*time.Millisecond
	})
	<-time.After(3 * time.Second)
}

// proc returns a file that the kernel has about the process.
func (s *subject) proc(name string) []byte {
	s.l.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, name))
	if err != nil {
		s.l.Fatalf("%v; it wrote:\n%s", err, s.output())
	}
	return b
}

// processor returns the time that the process has spent on processors.
func (s *subject) processor() time.Duration {
	s.l.Helper()
	stat := s.proc("stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	const user, system = 14 - 3, 15 - 3 // as proc(5) counts, from the state on
	ticks := number(fields[user]) + number(fields[system])
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory returns what of the process is in memory, in MiB: now ("VmRSS"), or at
// most since it was forgotten ("VmHWM").
func (s *subject) memory(which string) float64 {
	s.l.Helper()
	for line := range strings.Lines(string(s.proc("status"))) {
		if rest, found := strings.CutPrefix(line, which+":"); found {
			return float64(number(strings.Fields(rest)[0])) / 1024
		}
	}
	s.l.Fatalf("no %s in the status of a process", which)
	return 0
}

// forgetPeak makes VmHWM begin anew.
func (s *subject) forgetPeak() {
	s.l.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0); err != nil {
		s.l.Fatal(err)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err) // the kernel wrote it
	}
	return n
}
