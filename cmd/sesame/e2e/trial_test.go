//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// lockingDoor has another sequence than longDoor, which nobody of these tests knows at first.
const lockingDoor = `sesame.door "ssh" { sequence = { "tcp/5501", "udp/6602", "tcp/7703" }, within = "10s", guards = "tcp/22", ttl = "10m" }`

var lockingKnocks = []string{"tcp/5501", "udp/6602", "tcp/7703"}

// newManual returns a running world with longDoor, where files wait for a person.
func newManual(t *testing.T) *world {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.manual()
	w.start()
	return w
}

// manual configures that files wait.
func (w *world) manual() {
	w.Helper()
	path := w.path("sesame.toml")
	if err := os.WriteFile(path, []byte("reload = \"manual\"\n"), 0o644); err != nil {
		w.Fatal(err)
	}
	w.flags = append(w.flags, "-c", path)
}

// opensWith waits until knocks open the door, from a source of its own.
func (w *world) opensWith(source int, knocks []string) {
	w.Helper()
	before := len(w.grants())
	w.send(livetest.Source4(source), knocks...)
	w.eventually("the door opens", func() bool { return len(w.grants()) > before })
}

// returned waits until the set before a trial is in force again.
func (w *world) returned() {
	w.Helper()
	w.eventually("the trial is over", func() bool {
		s := w.status()
		return s.Trial == nil && s.LastReload.Hold == control.HeldByTrial
	})
}

// heldByTrial checks what people are told after a trial.
func (w *world) heldByTrial() {
	w.Helper()
	s := w.sesame("status", "--strict")
	if s.status != 1 {
		w.Errorf("status %+v", s)
	}
	contains(w, s.stdout, "health: degraded: trial-over\n", "sesame reload --trial 10m")
}

func TestRealManual(t *testing.T) {
	w := newManual(t)
	w.write("ssh.lua", lockingDoor)
	w.logged("scripts changed, and wait")
	contains(t, w.answer("status"), "health: ok\n", "note:  the files at ", `reload = "manual"`)
	w.opensWith(1, sshKnocks)

	t.Log("# a restart changes nothing")
	if status := w.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	w.start()
	w.opensWith(2, sshKnocks)
	contains(t, w.answer("status"), "health: ok\n", "note:  the files at ", `reload = "manual"`)

	t.Log("# a person does, and so does a SIGHUP")
	if e := w.reload(); e.status != 0 {
		t.Errorf("%+v", e)
	}
	w.opensWith(3, lockingKnocks)
	w.write("ssh.lua", longDoor)
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.logged("scripts applied: generation=3")
	w.opensWith(4, sshKnocks)
	w.nothingWrong()
}

// A trial that locks everybody out is over after its time. Neither the network nor the files are
// needed for that.
func TestRealTrialLocksOut(t *testing.T) {
	w := newManual(t)
	w.write("ssh.lua", lockingDoor)
	contains(t, w.answer("reload", "--trial", "2s"), "applied: generation 2, with 1 door\n", "On trial until ", "once somebody has opened ssh, with packets from now on")
	if err := os.RemoveAll(w.scripts); err != nil {
		t.Fatal(err)
	}
	w.net.Server.Exec("ip", "link", "set", w.net.Server.Interface, "down")
	w.eventually("the trial is over", func() bool { return w.status().Trial == nil })
	w.net.Server.Exec("ip", "link", "set", w.net.Server.Interface, "up")
	contains(t, w.log(), "the trial is over: the scripts before it are in force again")
	w.eventually("the door opens again", func() bool {
		w.send(livetest.Source4(1), sshKnocks...)
		return len(w.grants()) > 0
	})
	w.shut(ssh4)
}

func TestRealTrialKilled(t *testing.T) {
	for name, end := range map[string]func(*world){
		"killed":    (*world).kill,
		"restarted": func(w *world) { w.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newManual(t)
			w.write("ssh.lua", lockingDoor)
			w.answer("reload", "--trial", "1h")
			end(w)
			w.flags = nil // in auto mode too
			w.start()
			w.opensWith(2, sshKnocks)
			w.heldByTrial()
			w.write("other.txt", "") // something else changes
			w.opensWith(3, sshKnocks)

			t.Log("# again, with the files as they are")
			end(w)
			w.start()
			w.opensWith(4, sshKnocks)
			w.heldByTrial()

			t.Log("# other files wait, too, until a person asks")
			w.write("ssh.lua", strings.Replace(lockingDoor, "5501", "5502", 1))
			w.logged("scripts changed, and wait")
			w.heldByTrial()
			w.answer("reload")
			w.opensWith(5, []string{"tcp/5502", "udp/6602", "tcp/7703"})
			w.nothingWrong()
		})
	}
}

// An opening of the door that changed confirms, and the set stays over a crash.
func TestRealTrialConfirmedByOpening(t *testing.T) {
	w := newManual(t)
	w.write("ssh.lua", lockingDoor)
	w.answer("reload", "--trial", "1h")
	w.opensWith(1, lockingKnocks)
	w.eventually("it is confirmed", func() bool { return w.status().Trial == nil })
	w.logged("the trial is confirmed")
	w.kill()
	w.start()
	w.opensWith(2, lockingKnocks)
	w.nothingWrong()
}

// A session from before the trial confirms nothing: this test is one.
func TestRealTrialConfirmedByHand(t *testing.T) {
	w := newManual(t)
	if e := w.sesame("confirm"); e.status != 1 {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stderr, "no trial runs")
	}
	w.write("ssh.lua", lockingDoor)
	w.answer("reload", "--trial", "1h")
	e := w.sesame("confirm")
	if e.status != 1 {
		t.Errorf("%+v", e)
	}
	contains(t, e.stderr, "it proves nothing about new knocks", "sesame confirm --force")
	contains(t, w.answer("status"), "trial      until ", "note:  generation 2 is on trial until ")
	if _, err := w.client().Confirm(t.Context(), control.ConfirmRequest{}); err == nil {
		t.Error("a session that is not known confirms")
	}
	fresh := control.Duration(time.Nanosecond)
	o, err := w.client().Confirm(t.Context(), control.ConfirmRequest{SessionAge: &fresh})
	if err != nil || o.Trial == nil || o.Trial.State != control.TrialConfirmed {
		t.Errorf("%+v, %v", o, err)
	}
	w.nothingWrong()

	t.Log("# by force")
	w.write("ssh.lua", longDoor)
	w.answer("reload", "--trial", "1h")
	contains(t, w.answer("confirm", "--force"), "confirmed: generation 3, with 1 door, stays in force\n")

	t.Log("# and given up")
	w.write("ssh.lua", lockingDoor)
	w.answer("reload", "--trial", "1h")
	if e := w.reload(); e.status != 1 {
		t.Errorf("a reload during a trial: %+v", e)
	}
	w.send(livetest.Source4(2), lockingKnocks[:2]...)
	w.eventually("an attempt is on its way", func() bool { return w.status().Live.Attempts == 1 })
	contains(t, w.answer("reload", "--return"), "The trial is over: a person ended the trial.")
	w.opensWith(1, sshKnocks)
	contains(t, w.answer("status", "--strict"), "health: ok\n", "wait: the scripts were on trial, and a person ended the trial")

	t.Log("# the recording has the return as an input: its replay is exact")
	live, recording := w.recorded()
	contains(t, live, `"reason":"reload"`, `"event":"open"`)
	if replayed := withoutSummary(w.answerOffline("simulate", "--format", "jsonl", recording)); replayed != live {
		t.Errorf("live:\n%s\nreplayed:\n%s", live, replayed)
	}
}

// Scripts from elsewhere stay over a restart, on trial and for good.
func TestRealReloadFrom(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	other := w.path("other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "ssh.lua"), []byte(lockingDoor), 0o644); err != nil {
		t.Fatal(err)
	}
	w.answer("reload", "--from", other, "--trial", "1s")
	w.returned()
	w.opensWith(1, sshKnocks)
	contains(t, w.answer("reload"), "unchanged")
	w.nothingWrong()

	t.Log("# a restart says what it ended")
	w.answer("reload", "--from", other, "--trial", "1h")
	w.kill()
	w.start()
	contains(t, w.log(), "a trial ran when the daemon ended")
	if e := w.sesame("status", "--strict"); e.status != 1 {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, "health: degraded: trial-over\n", "scripts of "+other+" were on trial when the daemon ended", "sesame reload --from "+other+" --trial 10m")
	}
	w.answer("reload")
	w.nothingWrong()

	w.answer("reload", "--from", other, "--trial", "1h")
	contains(t, w.answer("confirm", "--force"), "copy those of "+other+" there")
	contains(t, w.answer("status"), "health: ok\n", "which are from "+other)
	w.opensWith(2, lockingKnocks)
	if err := os.RemoveAll(other); err != nil {
		t.Fatal(err)
	}
	w.kill()
	w.start()
	w.opensWith(3, lockingKnocks)
	contains(t, w.answer("status"), "health: ok\n", "wait: scripts of "+other+" were put in force")

	t.Log("# the configured ones wait for a person")
	w.write("ssh.lua", longDoor+" -- again")
	w.logged("scripts changed, and wait")
	w.answer("reload")
	w.opensWith(4, sshKnocks)
	w.nothingWrong()
}

// With a helper the commands of the set in force run: of a trial, of the set that returns, and
// of one from elsewhere that stays, also when the helper is another by then.
func TestRealTrialWithAHelper(t *testing.T) {
	h := newHelped(t, "10m")
	h.startHelper()
	h.start()
	other := h.path("other")
	text := strings.Replace(strings.NewReplacer("PROGRAM", h.program(), "TTL", "9m").Replace(commandDoor), `"in"`, `"try"`, 1)
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "ssh.lua"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	source := func(i int) string { return livetest.Source4(i).String() }
	h.answer("reload", "--from", other, "--trial", "1h")
	h.status() // which reads the files of the configuration
	h.answer("reload", "--return")
	h.opensWith(1, sshKnocks)
	h.wants("in_" + source(1) + "_0")
	h.answer("reload")

	h.answer("reload", "--from", other, "--trial", "1h")
	h.status()
	h.opensWith(2, sshKnocks)
	h.wants("in_"+source(1)+"_0", "try_"+source(2)+"_0")
	h.eventually("it is confirmed", func() bool { return h.status().Trial == nil })
	h.eventually("the helper has saved it", func() bool { return strings.Contains(h.content("helper/scripts"), `"try"`) })
	h.killHelper()
	h.startHelper()
	h.health("")
	h.opensWith(3, sshKnocks)
	h.wants("in_"+source(1)+"_0", "try_"+source(2)+"_0", "try_"+source(3)+"_0")

	t.Log("# elsewhere is not anywhere")
	if e := h.sesame("reload", "--from", h.path("root")+"/.."+"/../.."); e.status != 1 || !strings.Contains(e.stderr, "neither beside the scripts") {
		t.Errorf("%+v", e)
	}
}
