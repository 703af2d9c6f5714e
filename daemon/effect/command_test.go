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

// runs runs a command to its end.
func runs(t *testing.T, c command) (output, time.Duration, error) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	began := time.Now()
	var out output
	err := errors.New("it was not answered")
	c.run(t.Context(), func(o output, e error) { out, err = o, e })
	took := time.Since(began)
	var info unix.Siginfo
	if found := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); found == nil && info.Signo != 0 {
		t.Error("a zombie is left")
	}
	return out, took, err
}

func shell(text string, timeout time.Duration) command {
	return command{argv: []string{"/bin/sh", "-c", text}, timeout: timeout, env: []string{"PATH=/usr/bin:/bin"}}
}

// alive reports whether a process runs still.
func alive(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in ten seconds: %s", what)
		}
	}
}

func endIt(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 {
		t.Fatalf("%q is no process", pid)
	}
	_ = unix.Kill(n, unix.SIGKILL)
}

func TestACommandSeesWhatItMust(t *testing.T) {
	t.Setenv("SECRET", "x")
	s := &step{Event: engine.Event{Door: "ssh", Source: alice, Grant: 7, Timeout: 10 * time.Second,
		Argv: []string{"/bin/sh", "-c", `pwd; env | grep -v "^\(PWD\|SHLVL\|_\)=" | sort; readlink /proc/self/fd/0; echo oops >&2; cut -d' ' -f5,6 /proc/$$/stat`}}}
	out, _, err := runs(t, commandOf(s))
	if err != nil {
		t.Error(err)
	}
	lines := strings.Split(out.text, "\n")
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
		argv   []string
		want   string
		status int
	}{
		{[]string{"/no/such/program"}, "running /no/such/program: no such file or directory", notRun},
		{[]string{"true"}, "running true: expected an absolute path", notRun},
		{[]string{"/"}, "running /: is a directory", notRun},
		{[]string{noProgram}, "running " + noProgram + ": permission denied", notRun},
		{[]string{"/bin/sh", "a\x00b"}, "running /bin/sh: invalid argument", notRun},
		{[]string{"/bin/sh", "-c", "exit 3"}, "running exit 3: exit status 3", 3},
		{[]string{"/bin/sh", "-c", "kill -9 $$"}, "running kill -9 $$: signal: killed", -1},
		{[]string{"/bin/sh", "-c", "trap 'exit 5' TERM; sleep 10 & wait"}, "running trap 'exit 5' TERM; sleep 10 & wait: it still ran after 300ms", -1},
	} {
		_, _, err := runs(t, command{argv: tt.argv, timeout: 300 * time.Millisecond})
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
	out, took, err := runs(t, shell("sleep 60 & echo $!; wait", 300*time.Millisecond))
	if err == nil || err.Error() != "running sleep 60 & echo $!; wait: it still ran after 300ms" || took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	eventually(t, "the whole group has ended", func() bool { return !alive(out.text) })

	t.Log("# and minds no SIGTERM")
	out, took, err = runs(t, shell("trap '' TERM; sleep 60 & echo $!; wait; wait; sleep 60", 300*time.Millisecond))
	if err == nil || took < termDelay || took > termDelay+3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	eventually(t, "the whole group has ended", func() bool { return !alive(out.text) })

	t.Log("# what left the group goes on")
	out, _, err = runs(t, shell("setsid sleep 60 & echo $!; wait", 300*time.Millisecond))
	if err == nil || !alive(out.text) {
		t.Errorf("%v, alive: %v", err, alive(out.text))
	}
	endIt(t, out.text)
}

func TestACommandThatForks(t *testing.T) {
	out, took, err := runs(t, shell("sleep 60 & echo $!", 10*time.Second))
	if err != nil || took > 3*time.Second || !alive(out.text) {
		t.Errorf("%v after %v, alive: %v", err, took, alive(out.text))
	}
	endIt(t, out.text)

	t.Log("# and fails")
	out, took, err = runs(t, shell("sleep 60 & echo $!; exit 4", 10*time.Second))
	if err == nil || err.Error() != "running sleep 60 & echo $!; exit 4: exit status 4" || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	endIt(t, out.text)
}

func TestACommandThatFloods(t *testing.T) {
	out, _, err := runs(t, shell(`printf 'a\033[31mb\n'; head -c 20000000 /dev/zero | tr '\0' x`, 30*time.Second))
	if err != nil || len(out.text) > maxOutput+8 || out.lost != 20000000+8-maxOutput {
		t.Errorf("%v: %d bytes kept, %d lost", err, len(out.text), out.lost)
	}
	if !strings.HasPrefix(out.text, "a\ufffd[31mb\nxxx") {
		t.Errorf("got %q", out.text[:20])
	}
	t.Log("# for ever")
	out, took, err := runs(t, shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", 300*time.Millisecond))
	if err == nil || out.lost == 0 || took > 3*time.Second {
		t.Errorf("%v after %v: %d lost", err, took, out.lost)
	}
}

func TestACommandIsKilledAtOnceWhenTheRunnerStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 1)
	go shell("trap '' TERM; while :; do sleep 1; done", time.Minute).run(ctx, func(_ output, err error) { answers <- err })
	<-time.After(100 * time.Millisecond)
	cancel()
	if err := <-answers; !errors.Is(err, errStopped) {
		t.Errorf("got %v", err)
	}
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
		e[0].Timeout, e[0].Door = 10*time.Second, strconv.Itoa(i)
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
