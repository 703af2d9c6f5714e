//go:build linux

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/livetest"
)

// confined lets the daemon confine itself when it starts.
func (w *world) confined(flags ...string) {
	w.Helper()
	w.outside("sesame.toml", "confine = true\n")
	w.flags = append(flags, "-c", w.path("sesame.toml"))
}

// TestRealConfined lets a confined daemon do all that it does: it reloads new files, modules and
// lists, makes its socket again, and opens doors.
func TestRealConfined(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.confined("--pprof")
	w.start()
	contains(t, w.answer("status"), "confined   files (Landlock ", "system calls")
	w.knock(sshKnocks...)
	w.opens(ssh4)

	t.Log("# a new script, with a module in a new directory and a list in another")
	if err := errors.Join(os.MkdirAll(w.path("scripts/lib/net"), 0o755), os.Mkdir(w.path("lists"), 0o755)); err != nil {
		t.Fatal(err)
	}
	w.write("lib/net/near.lua", `return sesame.networks { file = "../lists/near" }`)
	w.outside("lists/near", "198.51.100.0/24\n")
	w.write("web.lua", strings.NewReplacer(`"ssh"`, `"web"`, "7421", "7521", "9133", "9233", "tcp/22", "tcp/80").Replace(longDoor)+`
local near = require "net/near"`)
	w.logged("doors=2")
	w.outside("lists/near", "203.0.113.0/24\n")
	w.logged("generation=3")

	t.Log("# the socket is deleted")
	if err := os.Remove(w.socket); err != nil {
		t.Fatal(err)
	}
	w.eventually("the socket is there again", func() bool {
		_, err := w.client().Status(w.Context())
		return err == nil
	})

	t.Log("# the directory of the scripts is replaced")
	if err := errors.Join(os.CopyFS(w.path("scripts.next"), os.DirFS(w.scripts)), os.Rename(w.scripts, w.path("scripts.before")), os.Rename(w.path("scripts.next"), w.scripts)); err != nil {
		t.Fatal(err)
	}
	w.write("web.lua", `-- no door any more`)
	w.reload("tcp/80")
	if e := w.sesame("explain", livetest.Source4(0).String()); e.status != done {
		t.Errorf("%+v", e)
	}
	w.nothingWrong()
	w.stop()
}

// TestRealConfinedRejects has reloads that need what a confined daemon gave up. A restart gives it
// to them.
func TestRealConfinedRejects(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.confined()
	w.start()
	for _, tt := range []struct{ script, want string }{
		{`sesame.command { "/bin/true" }`, "the scripts have the first commands, and this process gave up starting programs when it started without any: restart Sesame"},
		{`local far = sesame.networks { file = "` + filepath.Join(t.TempDir(), "far") + `" }`, "permission denied (since its start Sesame reads only where"},
	} {
		if _, path, found := strings.Cut(tt.script, `file = "`); found {
			path, _, _ = strings.Cut(path, `"`)
			if err := os.WriteFile(path, []byte("198.51.100.0/24\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w.write("more.lua", tt.script)
		if e := w.reload(); e.status != 1 || !strings.Contains(e.stderr, tt.want) {
			t.Errorf("%+v", e)
		}
		w.knock(sshKnocks...)
		w.opens(ssh4)
		w.kill()
		w.start()
		if e := w.reload(); e.status != done {
			t.Errorf("after a start: %+v", e)
		}
		if err := os.Remove(w.path("scripts/more.lua")); err != nil {
			t.Fatal(err)
		}
		w.kill()
		w.start()
	}
}
