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
