//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sesame/daemon/livetest"
)

// TestRealConfined lets a confined daemon do all that it does: it reloads new files, modules and
// lists, makes its socket again, and opens doors.
func TestRealConfined(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.flags = []string{"--pprof"}
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

	t.Log("# all files of its directory are deleted")
	if err := errors.Join(os.Remove(w.socket), os.Remove(w.socket+".lock")); err != nil {
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

// TestRealDeletedSocketDirectory deletes what a confined daemon cannot make again. Doors open
// meanwhile, and a restart makes it.
func TestRealDeletedSocketDirectory(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	if err := os.RemoveAll(filepath.Dir(w.socket)); err != nil {
		t.Fatal(err)
	}
	w.logged("a confined process makes no directory and no socket: restart Sesame")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.stop()
	w.start()
	w.opens(ssh4)
	w.nothingWrong()
}

// lister returns the process that lists rules of other firewalls for the daemon; 0: there is none.
func (w *world) lister() (pid int) {
	w.Helper()
	pids, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.daemon.cmd.Process.Pid))
	if err != nil {
		w.Fatal(err)
	}
	for _, path := range pids {
		text, _ := os.ReadFile(path) // the thread may have ended
		for child := range strings.FieldsSeq(string(text)) {
			if line, _ := os.ReadFile("/proc/" + child + "/cmdline"); strings.Contains(string(line), "\x00list-rules\x00") {
				return number(child)
			}
		}
	}
	return 0
}

// TestRealListerOfRules has a firewall that drops what a door lets in. A confined daemon tells the
// rule, which a process of its own prints. Without the process it tells the number of the rule, and
// goes on.
func TestRealListerOfRules(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.nft(`table inet mine { chain in { type filter hook input priority 5; tcp dport 22 counter drop; }; }`)
	w.start()
	if w.lister() == 0 {
		t.Fatal("no process lists rules")
	}
	w.knock(sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	w.eventually("the text of the rule is known", func() bool {
		w.shut(ssh4) // a packet before the daemon measures is not seen
		r := w.grants()[0].Reached
		return r != nil && strings.HasPrefix(r.Rule, "tcp dport 22 counter packets ")
	})

	t.Log("# the process is killed")
	pid := w.lister()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.logged("rules of other firewalls are named by their numbers alone")
	w.eventually("nothing is left of it", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	if !w.hasReason("rules-unread") {
		t.Errorf("%+v", w.status().Health)
	}
	w.nft(`table inet mine { chain in { udp dport 9 drop; tcp dport 22 drop; }; }; delete rule inet mine in handle 2`)
	w.eventually("the number of the rule is known", func() bool {
		w.shut(ssh4)
		r := w.grants()[0].Reached
		return r.Rule == "" && r.Handle > 2
	})

	t.Log("# it ends with the daemon, also when that is killed")
	w.kill()
	for _, end := range []func(){w.kill, func() { w.stop() }} {
		w.start()
		pid = w.lister()
		end()
		w.eventually("the process has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
}
