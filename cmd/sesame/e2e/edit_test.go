//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/control"
)

// terminal returns a terminal on which somebody has typed a line.
func (w *world) terminal(line string) *os.File {
	w.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		w.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { program.Close() })
	if _, err := person.WriteString(line + "\n"); err != nil {
		w.Fatal(err)
	}
	return program
}

// edit edits a script with sesame edit: the editor writes this text, and the person this line.
func (w *world) edit(name, text, line string) ended {
	w.Helper()
	next, editor := w.path("next"), w.path("editor")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(editor, fmt.Appendf(nil, "#!/bin/sh\ncp %s \"$1\"\n", next), 0o700); err != nil {
		w.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(w.Context(), "sesame", "edit", "--socket", w.socket, "-s", w.scripts, "--me", w.net.Client.IPv4.Addr().String(), name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = w.terminal(line), &stdout, &stderr
	cmd.Env = append(environment(), "VISUAL="+editor, "TMPDIR="+w.dir)
	if err := w.net.Server.Do(cmd.Start); err != nil {
		w.Fatal(err)
	}
	_ = cmd.Wait() // its status is in what is returned
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// TestRealEdit applies an edit, tries one, and discards one, while the daemon watches the scripts.
func TestRealEdit(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.knock(sshKnocks...)
	w.opens(server4 + ":22")
	with := func(ttl string) string { return strings.Replace(longDoor, `"10m"`, `"`+ttl+`"`, 1) }
	onDisk := func() string {
		text, err := os.ReadFile(filepath.Join(w.scripts, "ssh.lua"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	e := w.edit("ssh", with("11m"), "apply")
	contains(t, e.stdout, "old: the running daemon, generation 1, with 1 door", "ssh: ttl 10m -> 11m", "still opens ssh", "written: ")
	if s := w.status(); e.status != 0 || s.Scripts.Generation != 2 || s.Trial != nil || onDisk() != with("11m") {
		t.Errorf("applied: status %d, %+v\n%s%s", e.status, s.Scripts, e.stdout, e.stderr)
	}

	e = w.edit("ssh", with("12m"), "try")
	s := w.status()
	if e.status != 0 || s.Scripts.Generation != 3 || s.Trial == nil || s.Trial.State != control.TrialRuns || onDisk() != with("12m") {
		t.Fatalf("tried: status %d, %+v, %+v\n%s%s", e.status, s.Scripts, s.Trial, e.stdout, e.stderr)
	}
	contains(t, e.stdout, "On trial until ")
	w.answer("confirm", "--force")
	if s := w.status(); s.Trial != nil || s.Scripts.Drift {
		t.Errorf("confirmed: %+v, %+v", s.Trial, s.Scripts)
	}

	e = w.edit("ssh", with("13m"), "discard")
	if s := w.status(); e.status != 0 || s.Scripts.Generation != 3 || onDisk() != with("12m") {
		t.Errorf("discarded: status %d, %+v\n%s%s", e.status, s.Scripts, e.stdout, e.stderr)
	}
	if left, _ := filepath.Glob(w.path("sesame-edit-*")); left != nil {
		t.Errorf("copies are left: %v", left)
	}
}
