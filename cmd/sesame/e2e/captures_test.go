//go:build linux

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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
}
