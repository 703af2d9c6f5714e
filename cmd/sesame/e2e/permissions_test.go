//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestRealReloadOfWhatCannotBeRead takes the right to read a knockd.conf away, and
// gives it back. Neither changes the file, and both are seen.
func TestRealReloadOfWhatCannotBeRead(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.outside("knockd.conf", "[touch]\n\tsequence = 4519,8204:udp,3127\n\tcommand = echo %IP% >> "+w.path("done")+"\n")
	w.write("knockd.lua", `sesame.knockd "../knockd.conf"`)
	w.start()
	mode := func(mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(w.path("knockd.conf"), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode(0)
	w.logged("scripts rejected: the old ones stay")
	contains(t, w.answer("status"), "wrong: the scripts were rejected at ", "knockd.conf: permission denied")
	if e := w.reload(); e.status != 1 || !strings.Contains(e.stderr, "permission denied") {
		t.Errorf("%+v", e)
	}
	mode(0o600)
	w.logged("the scripts are again those that run")
	w.nothingWrong()

	t.Log("# all doors go, and that is told")
	if err := os.Remove(w.path("scripts/ssh.lua")); err != nil {
		t.Fatal(err)
	}
	w.reload("tcp/22")
	w.outside("knockd.conf", "[options]\n")
	w.logged("doors=0 before=1")
	w.logged("no door is left: nobody can knock")
	contains(t, w.answer("status"), "note:  no script has a door: nobody can knock")
}

// TestRealTroubleWithWriters has files that users other than root can change.
func TestRealTroubleWithWriters(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	if log := w.log(); strings.Contains(log, "users other than root") {
		t.Errorf("the log:\n%s", log)
	}
	w.stop()
	if err := os.Chmod(w.path("scripts/ssh.lua"), 0o666); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.logged("users other than root can change who gets in and what is run: chown root and chmod go-w: files=")
	contains(t, w.log(), "scripts/ssh.lua (owner 0, mode 0666)")
	w.outside("sesame.toml", "scripts = \"scripts\"\n")
	e := w.runOn(w.net.Server, "sesame", "check", "-c", w.path("sesame.toml"))
	contains(t, e.stderr, "users other than root can change who gets in", "scripts/ssh.lua (owner 0, mode 0666)")
}
