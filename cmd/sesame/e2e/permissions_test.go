//go:build linux

package e2e

import (
	"errors"
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

// TestRealWritableFilesHold has files that users other than root can change: new scripts are held
// until that is mended, at a reload and at a start.
func TestRealWritableFilesHold(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	script := w.path("scripts/ssh.lua")
	mode := func(mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(script, mode); err != nil {
			t.Fatal(err)
		}
	}

	t.Log("# no set ran before: it does not start")
	mode(0o666)
	w.daemon = w.launch()
	if status := w.exit(); status == done {
		t.Error("it started and ended well")
	}
	contains(t, w.log(), "users other than root can change who gets in and what is run", script+" (owner 0, mode 0666): run chmod o-w "+script)
	mode(0o644)
	w.start()

	t.Log("# an edit is held until the mode is right")
	aside := w.path("aside")
	if err := errors.Join(os.WriteFile(aside, []byte(longDoor+"-- more\n"), 0o600), os.Chmod(aside, 0o666), os.Rename(aside, script)); err != nil {
		t.Fatal(err)
	}
	w.logged("scripts held: the old ones stay")
	contains(t, w.answer("status"), script+" (owner 0, mode 0666): run chmod o-w "+script, "mend that, then run: sesame reload")
	w.becomes("scripts-held", "writable-files")
	if e := w.reload(); e.status != answerNo || !strings.Contains(e.stderr, "held; generation 1") {
		t.Errorf("%+v", e)
	}
	contains(t, w.sesame("reload", "--json").stdout, `"path": "`+script+`"`, `"mend": "chmod o-w `+script+`"`)
	mode(0o644)
	if e := w.reload(); e.status != done {
		t.Errorf("%+v", e)
	}
	w.becomes()

	t.Log("# a start runs the set that was applied last")
	w.kill()
	mode(0o666)
	w.start()
	w.logged("outcome=held")
	w.knock(sshKnocks...)
	w.opens(ssh4)

	t.Log("# the configuration insists")
	w.kill()
	w.outside("sesame.toml", "allow_writable = true\n")
	w.flags = append(w.flags, "-c", w.path("sesame.toml"))
	w.start()
	w.logged("users other than root can change who gets in and what is run: files=")
	w.becomes()
	contains(t, w.answer("status"), "note:  users other than root can change", script+" (owner 0, mode 0666)")

	t.Log("# sesame check says so before")
	w.outside("sesame.toml", "scripts = \"scripts\"\n")
	contains(t, w.runOn(w.net.Server, "sesame", "check", "-c", w.path("sesame.toml")).stderr, "the daemon would hold the scripts", "run chmod o-w "+script)
	contains(t, w.runOn(w.net.Server, "sesame", "simulate", "-v", "-c", w.path("sesame.toml"), "--knock", "203.0.113.9 ssh").stderr, "users other than root can change "+script)
}
