package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sesame/simulate/pcaptest"
)

// Continuous integration and timeout end a program with SIGTERM, a person with Ctrl-C. Both get the
// results so far, and the exit status of a run that proves nothing.
func TestInterruptedTests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"d.lua": `sesame.door "d" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`,
		// More than runs until the signal comes. The line comes when the signal is awaited.
		"d_test.lua": `print "begun"
for i = 1, 10000 do sesame.test("scan " .. i) { { scan = { "tcp/1-65535", "udp/1-65535" } } } end`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "sesame", "test", "-s", dir)
			var out bytes.Buffer
			c.Stdout = &out
			stderr, err := c.StderrPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(stderr)
			if line, err := reader.ReadString('\n'); err != nil || !strings.HasSuffix(line, "begun\n") {
				t.Fatalf("got %q, %v", line, err)
			}
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(reader)
			exit, ok := errors.AsType[*exec.ExitError](c.Wait())
			if !ok || exit.ExitCode() != couldNot {
				t.Errorf("got %v, want exit status %d", exit, couldNot)
			}
			if !strings.Contains(string(rest), "interrupted: tests that did not run are not known to pass") || !strings.Contains(out.String(), " not run\n") {
				t.Errorf("got\n%.300s\n%s", out.String(), rest)
			}
		})
	}
}

// An interrupted attack prints what it found, and proves nothing.
func TestInterruptedAttacks(t *testing.T) {
	script := filepath.Join(t.TempDir(), "d.lua")
	// The line comes when the signal is awaited.
	text := `print "begun"
sesame.door "d" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, tripwires = 0, guards = "tcp/22" }`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sesame", "attack", "-s", script, "--order", "random", "--runs", "100000000")
	var out bytes.Buffer
	c.Stdout = &out
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(stderr)
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasSuffix(line, "begun\n") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(reader)
	exit, ok := errors.AsType[*exec.ExitError](c.Wait())
	if !ok || exit.ExitCode() != couldNot {
		t.Errorf("got %v, want exit status %d", exit, couldNot)
	}
	if !strings.Contains(string(rest), "interrupted: what came later is missing") || !strings.Contains(out.String(), "unwanted opening") {
		t.Errorf("got\n%.300s\n%s", out.String(), rest)
	}
}

// A first interrupt ends no capture that comes through a pipe, and says what is waited for.
func TestInterruptedPipes(t *testing.T) {
	dir := t.TempDir()
	script, pipe := filepath.Join(dir, "d.lua"), filepath.Join(dir, "pipe")
	err := os.WriteFile(script, []byte(`sesame.door "d" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`), 0o600)
	capture, wrong := pcaptest.Capture("1s 203.0.113.9 tcp/7421\n1s 203.0.113.9 udp/9133\n1s 203.0.113.9 tcp/2904\n")
	if err := errors.Join(err, wrong, syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		prints string
	}{
		{[]string{"simulate"}, "d  open\n"},
		{[]string{"perturb", "--runs", "3"}, "3 runs"},
		{[]string{"attack", "--max-opens", "100"}, "the knocks of 203.0.113.9 at d, sent again\n"},
	} {
		t.Run(test.args[0], func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "sesame", append(test.args, "-s", script, pipe)...)
			var out bytes.Buffer
			c.Stdout = &out
			stderr, err := c.StderrPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			to, err := os.OpenFile(pipe, os.O_WRONLY, 0) // when the command reads, so signals are awaited
			if err == nil {
				err = c.Process.Signal(os.Interrupt)
			}
			if err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(stderr)
			want := "sesame: waiting for " + pipe + " to end; interrupt again to stop at once\n"
			if line, err := reader.ReadString('\n'); err != nil || line != want {
				t.Errorf("got %q, %v, want %q", line, err, want)
			}
			if _, err := to.Write(capture); err != nil {
				t.Error(err)
			}
			if err := to.Close(); err != nil {
				t.Error(err)
			}
			rest, _ := io.ReadAll(reader)
			if err := c.Wait(); c.ProcessState.ExitCode() != done || !strings.Contains(out.String(), test.prints) {
				t.Errorf("%v, want exit status %d:\n%s\n%s", err, done, &out, rest)
			}
		})
	}
}

// A second interrupt ends the program while a stream is waited for, also when nobody reads what it
// says of the first one.
func TestTheSecondInterruptCounts(t *testing.T) {
	dir := t.TempDir()
	script, pipe := filepath.Join(dir, "d.lua"), filepath.Join(dir, "pipe")
	err := os.WriteFile(script, []byte(`sesame.door "d" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`), 0o600)
	unread, full, wrong := os.Pipe()
	if err := errors.Join(err, wrong, syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	defer full.Close()
	for err = full.SetWriteDeadline(time.Now().Add(time.Second)); err == nil; { // no more goes into the pipe then
		_, err = full.Write(make([]byte, 4096))
	}
	c := exec.CommandContext(t.Context(), "sesame", "simulate", "-s", script, pipe)
	c.Stderr = full
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	to, err := os.OpenFile(pipe, os.O_WRONLY, 0) // when the command reads, so signals are awaited
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for late := time.After(time.Minute); ; {
		if err := c.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", err)
			}
			return
		case <-late:
			t.Fatal("it does not end")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Once all captures are read nothing is waited for: an interrupt ends what is done with them.
func TestInterruptsAfterPipes(t *testing.T) {
	out, in := io.Pipe()
	p := &program{stderr: in}
	reading, read, forget := p.interruptible(t.Context(), []string{"-"})
	defer forget()
	interrupt := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := "sesame: waiting for standard input to end; interrupt again to stop at once\n"; err != nil || line != want || reading.Err() != nil {
		t.Fatalf("got %q, %v, want %q and %v", line, err, want, reading.Err())
	}
	read()
	interrupt()
	select {
	case <-reading.Done():
	case <-time.After(20 * time.Second):
		t.Error("the interrupt is not noticed")
	}
}
