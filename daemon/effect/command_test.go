package effect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"sesame/daemon/engine"
)

// runToEnd runs a command to its end, and checks that nothing of ours waits for it
// any more.
func runToEnd(t *testing.T, c Program) (Output, error) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var out Output
	err := errors.New("it was not answered")
	c.Run(t.Context(), func(o Output, e error) { out, err = o, e })
	var info unix.Siginfo
	if found := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); found == nil && info.Signo != 0 {
		t.Error("a zombie is left")
	}
	return out, err
}

func shell(text string, timeout time.Duration) Program {
	return Program{Argv: []string{"/bin/sh", "-c", text}, Timeout: timeout, Env: []string{"PATH=/usr/bin:/bin"}}
}

// generous is far longer than a command takes that ends by itself, on a machine
// that is busy; hanging is the time limit of one that does not.
const (
	generous = 5 * time.Minute
	hanging  = time.Second
)

// alive reports whether a process still runs.
func alive(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return pid != "" && err == nil && !strings.Contains(string(stat), ") Z ")
}

// eventually waits for a condition; what never comes true ends the test run.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	t.Logf("# waiting until %s", what)
	for !condition() {
		<-time.After(5 * time.Millisecond)
	}
}

// kill ends a process that a test left running.
func kill(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 {
		t.Fatalf("%q is no process", pid)
	}
	_ = unix.Kill(n, unix.SIGKILL)
}

func TestACommandSeesWhatItMust(t *testing.T) {
	t.Setenv("SECRET", "x")
	s := &step{Event: engine.Event{Door: "ssh", Source: alice, Grant: 7, Timeout: generous,
		Argv: []string{"/bin/sh", "-c", `pwd; env | grep -v "^\(PWD\|SHLVL\|_\)=" | sort; readlink /proc/self/fd/0; echo oops >&2; cut -d' ' -f5,6 /proc/$$/stat`}}}
	out, err := runToEnd(t, commandOf(s).Program())
	if err != nil {
		t.Error(err)
	}
	lines := strings.Split(out.Text, "\n")
	want := []string{"/", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SESAME_DOOR=ssh", "SESAME_EFFECT=exec", "SESAME_GRANT=7", "SESAME_SOURCE=203.0.113.9", "/dev/null", "oops"}
	if len(lines) != len(want)+1 || strings.Join(lines[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", lines)
	}
	if group, session, _ := strings.Cut(lines[len(lines)-1], " "); group != session || group == fmt.Sprint(unix.Getpgrp()) {
		t.Errorf("process group %s, session %s", group, session)
	}
}

func TestACommandThatCannotRun(t *testing.T) {
	noProgram := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(noProgram, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const notRun = 0
	for _, tt := range []struct {
		argv    []string
		want    string
		status  int
		timeout time.Duration
	}{
		{[]string{"/no/such/program"}, "running /no/such/program: no such file or directory", notRun, generous},
		{[]string{"true"}, "running true: expected an absolute path", notRun, generous},
		{[]string{"/"}, "running /: is a directory", notRun, generous},
		{[]string{noProgram}, "running " + noProgram + ": permission denied", notRun, generous},
		{[]string{"/bin/sh", "a\x00b"}, "running /bin/sh: invalid argument", notRun, generous},
		{[]string{"/bin/sh", "-c", "exit 3"}, "running exit 3: exit status 3", 3, generous},
		{[]string{"/bin/sh", "-c", "kill -9 $$"}, "running kill -9 $$: signal: killed", -1, generous},
		{[]string{"/bin/sh", "-c", "trap 'exit 5' TERM; sleep 10 & wait"}, "running trap 'exit 5' TERM; sleep 10 & wait: it still ran after 1s", -1, hanging},
	} {
		_, err := runToEnd(t, Program{Argv: tt.argv, Timeout: tt.timeout})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.argv, err, tt.want)
		}
		status := notRun
		if ran, ok := errors.AsType[*engine.CommandError](err); ok {
			status = ran.Status
		}
		if status != tt.status {
			t.Errorf("%q: it exited with %d, want %d", tt.argv, status, tt.status)
		}
	}
}

func TestACommandThatHangs(t *testing.T) {
	out, err := runToEnd(t, shell("sleep 600 & echo $!; wait", hanging))
	if err == nil || err.Error() != "running sleep 600 & echo $!; wait: it still ran after 1s" {
		t.Errorf("got %v", err)
	}
	eventually(t, "the whole group has ended", func() bool { return !alive(out.Text) })

	t.Log("# and minds no SIGTERM: it comes first, and SIGKILL after it")
	out, err = runToEnd(t, shell("trap 'echo SIGTERM' TERM; echo $$; while :; do sleep 600; done", hanging))
	if err == nil || !strings.HasSuffix(err.Error(), "it still ran after 1s") {
		t.Errorf("got %v", err)
	}
	pid, rest, _ := strings.Cut(out.Text, "\n")
	if !strings.HasSuffix(rest, "SIGTERM") {
		t.Errorf("it wrote %q, want its process and SIGTERM", out.Text)
	}
	eventually(t, "it has ended", func() bool { return !alive(pid) })

	t.Log("# what left the group goes on")
	out, err = runToEnd(t, shell("setsid sleep 600 & echo $!; wait", hanging))
	if err == nil || !alive(out.Text) {
		t.Errorf("%v, alive: %v", err, alive(out.Text))
	}
	kill(t, out.Text)
}

// What a command leaves behind still runs when the command is answered: nobody
// waited for it.
func TestACommandThatForks(t *testing.T) {
	out, err := runToEnd(t, shell("sleep 600 & echo $!", generous))
	if err != nil || !alive(out.Text) {
		t.Errorf("%v, alive: %v", err, alive(out.Text))
	}
	kill(t, out.Text)

	t.Log("# and fails")
	out, err = runToEnd(t, shell("sleep 600 & echo $!; exit 4", generous))
	if err == nil || err.Error() != "running sleep 600 & echo $!; exit 4: exit status 4" || !alive(out.Text) {
		t.Errorf("%v, alive: %v", err, alive(out.Text))
	}
	kill(t, out.Text)
}

func TestACommandThatFloods(t *testing.T) {
	out, err := runToEnd(t, shell(`printf 'a\033[31mb\n'; head -c 20000000 /dev/zero | tr '\0' x`, generous))
	if err != nil || len(out.Text) > maxOutput+8 || out.Lost != 20000000+8-maxOutput {
		t.Errorf("%v: %d bytes stored, %d lost", err, len(out.Text), out.Lost)
	}
	if !strings.HasPrefix(out.Text, "a\ufffd[31mb\nxxx") {
		t.Errorf("got %q", out.Text[:20])
	}
	t.Log("# for ever")
	const flood = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"
	out, err = runToEnd(t, shell(flood, hanging))
	if err == nil || err.Error() != "running "+flood+": it still ran after 1s" || out.Lost == 0 {
		t.Errorf("%v: %d lost", err, out.Lost)
	}
}

func TestACommandIsKilledAtOnceWhenTheRunnerStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 1)
	started := filepath.Join(t.TempDir(), "started")
	c := shell("trap 'echo SIGTERM >"+started+"' TERM; echo $$ >"+started+"; while :; do sleep 600; done", generous)
	go c.Run(ctx, func(_ Output, err error) { answers <- err })
	var text []byte
	eventually(t, "it has begun", func() bool {
		text, _ = os.ReadFile(started)
		return len(text) > 0
	})
	cancel()
	if err := <-answers; !errors.Is(err, ErrStopped) {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(started); err != nil || string(after) != string(text) {
		t.Errorf("it was given time to end: %q, %v", after, err)
	}
	eventually(t, "it has ended", func() bool { return !alive(strings.TrimSpace(string(text))) })
}

func TestManyCommandsThroughARunner(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	h := &host{began: time.Now(), kernel: make(map[key]time.Time), table: true, ran: make(map[string]int), mounts: make(map[string]string)}
	h.r = New(Config{Firewall: h, Persist: h.persist, Now: time.Now})
	h.start()
	ids := uint64(0)
	for i := range 200 {
		name := "/bin/true"
		if i%3 == 0 {
			name = "/bin/false"
		}
		ids++
		e := run(ids, alice, name)
		e[0].Timeout, e[0].Door = generous, strconv.Itoa(i)
		h.r.Enqueue(e)
	}
	failed, answered := 0, 0
	for answered < 200 {
		<-h.r.Ready()
		for _, result := range h.r.Results() {
			answered++
			if result.Err != nil {
				failed++
			}
		}
	}
	if failed != 67 {
		t.Errorf("%d failed, want 67", failed)
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}
