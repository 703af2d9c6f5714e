//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestRealFirstEdit follows the first minutes: root makes the example, starts the daemon, which
// becomes user sesame, and edits the door. The test of the door replays a capture in a directory
// that root alone can enter.
func TestRealFirstEdit(t *testing.T) {
	w := newWorld(t, nil)
	w.withService()
	w.scripts = w.path("made")
	if made := w.runOn(w.net.Server, "sesame", "init", w.scripts); made.status != 0 {
		t.Fatalf("%+v", made)
	}
	door := filepath.Join(w.scripts, "ssh.lua")
	for _, path := range []string{w.scripts, filepath.Join(w.scripts, "captures"), door} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Fatalf("%s: %v, %v: others than root can read it", path, info, err)
		}
	}
	text, err := os.ReadFile(door)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	contains(t, w.answer("status"), "runs as    sesame, with CAP_NET_RAW and CAP_NET_ADMIN, to capture knocks")
	if user := w.status().User; user != "sesame" {
		t.Errorf("the user is %q", user)
	}
	edit := func(from, to string) {
		edited := strings.Replace(string(text), from, to, 1)
		if edited == string(text) {
			t.Fatalf("%s has no %q", door, from)
		}
		if err := os.WriteFile(door, []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	t.Log("# an edit that its tests pass")
	edit(`"10s"`, `"9s"`)
	w.eventually("the edit is applied", func() bool { return w.status().Scripts.Generation == 2 })
	if o := w.reload(); o.status != 0 || strings.Contains(o.stdout, "skipped") {
		t.Errorf("%+v", o)
	}
	if strings.Contains(w.log(), "was skipped") {
		t.Error("a test was skipped")
	}

	t.Log("# a link that leads out of the scripts' directory is not followed")
	capture, outside := filepath.Join(w.scripts, "captures/ssh-opens.pcap"), w.path("outside.pcap")
	if err := errors.Join(os.Rename(capture, outside), os.Symlink(outside, capture)); err != nil {
		t.Fatal(err)
	}
	edit(`"10s"`, `"8s"`)
	w.eventually("the edit is applied", func() bool { return w.status().Scripts.Generation == 3 })
	contains(t, w.log(), "a test of the scripts was skipped", "captures/ssh-opens.pcap cannot be read: the helper, which is root, does not open it: path escapes from parent")

	t.Log("# the helper, which is a child of the daemon, does not come back by itself")
	w.killChild()
	w.eventually("the status says so", func() bool {
		out := w.sesame("status").stdout
		return strings.Contains(out, "the helper does not answer") && strings.Contains(out, "start Sesame again, which starts its helper, too")
	})
	w.stop()
	w.start()
	if out := w.answer("status"); strings.Contains(out, "does not answer") {
		t.Error(out)
	}
}

// killChild kills the child of the daemon that is not the one that lists rules.
func (w *world) killChild() {
	w.Helper()
	parent, killed := fmt.Sprint("PPid ", w.daemon.cmd.Process.Pid), 0
	paths, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		pid, number := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && number == nil && pid != w.lister() && statusFields(string(text), "PPid") == parent {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			killed++
		}
	}
	if killed != 1 {
		w.Errorf("%d children were killed, want 1", killed)
	}
}

// TestRealSequencesOfRoot starts a daemon again that becomes user sesame, whose one-time sequences
// root alone can read. It says nothing of that: the helper reads them.
func TestRealSequencesOfRoot(t *testing.T) {
	w := newWorld(t, nil)
	w.withService()
	dir := w.path("once")
	err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "list"), []byte("1001,1002\n1003,1004\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	w.write("once.lua", fmt.Sprintf(`sesame.door "once" { one_time_sequences = %q, within = "9s", guards = "tcp/22" }`, filepath.Join(dir, "list")))
	w.start()
	w.stop()
	w.start()
	if strings.Contains(w.log(), "one-time sequences cannot be read") {
		t.Error("the log says that they cannot be read")
	}
	if s := w.status(); s.Scripts.SequencesUnread != "" || !s.Helper.Used {
		t.Errorf("unread %q, helper %+v", s.Scripts.SequencesUnread, s.Helper)
	}
}
