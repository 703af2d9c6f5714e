//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// fails starts a daemon that must end by itself with status 2 and say these
// texts.
func (w *world) fails(texts ...string) {
	w.Helper()
	w.launch()
	if got := w.exit(); got != couldNot {
		w.Errorf("exit status %d, want %d", got, couldNot)
	}
	contains(w, w.log(), texts...)
}

// noTable checks that no port is guarded.
func (w *world) noTable() {
	w.Helper()
	if e := w.runOn(w.net.Server, "nft", "list", "tables"); strings.Contains(e.stdout, "sesame") {
		w.Errorf("tables:\n%s", e.stdout)
	}
}

func TestRealBrokenFirstStart(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "web.lua": "sesame.door 'web' {\n  sequence = {},\n}"})
	w.fails("web.lua:", "sequence")
	w.opens(ssh4)
	w.noTable()
	if e := w.sesame("status"); e.status != couldNot {
		t.Errorf("%+v", e)
	}

	t.Log("# no scripts at all")
	if err := os.RemoveAll(w.scripts); err != nil {
		t.Fatal(err)
	}
	w.fails("reading the scripts: ", w.scripts)
	w.noTable()
}

func TestRealBrokenLaterStart(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.kill()
	w.write("ssh.lua", "x = ")
	w.shut(ssh4)
	w.start()
	contains(t, w.log(), "the scripts that were applied last run, not those on the disk", "ssh.lua:1")
	if e := w.sesame("status", "--strict"); e.status != answerNo {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, "wrong: the scripts at "+w.scripts+" failed when the daemon started", "ssh.lua:1")
	}
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)

	t.Log("# mended")
	w.write("ssh.lua", strings.Replace(longDoor, "tcp/2904", "tcp/2906", 1))
	w.logged("scripts applied: generation=2")
	w.nothingWrong()
	w.send(livetest.Source4(1), "tcp/7421", "udp/9133", "tcp/2906")
	w.eventually("the new sequence opens", func() bool { return len(w.grants()) == 2 })
	w.logged("access opened: door=ssh source=" + livetest.Source4(1).String()) // it is in the journal

	t.Log("# and kept: no scripts at all")
	w.kill()
	if err := os.RemoveAll(w.scripts); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.send(livetest.Source4(3), "tcp/7421", "udp/9133", "tcp/2906")
	w.eventually("the set that was applied last opens", func() bool { return len(w.grants()) == 3 })
	if err := os.Mkdir(w.scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("ssh.lua", longDoor)
	w.logged("scripts applied: generation=2")
	w.nothingWrong()
}

// TestRealHeldAtStart removes a guard while no daemon runs: a person who wants that says
// so.
func TestRealHeldAtStart(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "web.lua": webDoor})
	w.net.Server.Echo(web4)
	w.start()
	w.kill()
	if err := os.Remove(filepath.Join(w.scripts, "web.lua")); err != nil {
		t.Fatal(err)
	}
	w.start()
	contains(t, w.log(), "outcome=held", "sesame reload --unguard tcp/443")
	contains(t, w.reason("last-good-set").String(), w.scripts+" were held when the daemon started")
	w.shut(web4)
	if e := w.reload("tcp/443"); e.status != done {
		t.Errorf("%+v", e)
	}
	w.opens(web4)
	w.shut(ssh4)
	w.nothingWrong()
}

// TestRealStop ends a daemon as a service manager does.
func TestRealStop(t *testing.T) {
	g := newGuestbook(t, "10m")
	g.gates("in", "out")
	g.start()
	g.knock(sshKnocks...)
	g.opens(ssh4)
	if status := g.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	if text := g.signed(); !strings.HasSuffix(text, "out ends\n") {
		t.Errorf("the undo did not run:\n%s", text)
	}
	g.opens(ssh4) // the kernel ends the access that it was given
	if g.connects(ssh6) {
		t.Error("the guard is gone")
	}
	if _, err := os.Stat(g.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	g.start()
	g.opens(ssh4)
	if n := strings.Count(g.signed(), "out begins"); n != 1 {
		t.Errorf("the undo ran %d times", n)
	}
	g.nothingWrong()
}

// TestRealStopDuringTheCommand stops the daemon while a command runs: what was
// decided is done, and its undo too.
func TestRealStopDuringTheCommand(t *testing.T) {
	g := newGuestbook(t, "4s")
	g.start()
	g.knock(sshKnocks...)
	g.wrote("in begins", 1)
	if err := g.daemon.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	g.pass(100 * time.Millisecond)
	g.gates("in", "out")
	if status := g.exit(); status != done {
		t.Errorf("exit status %d", status)
	}
	if text := g.signed(); !strings.HasSuffix(text, "out ends\n") {
		t.Errorf("the undo did not run:\n%s", text)
	}
	g.shuts(ssh4)
	g.start()
	g.tidy()
}

// TestRealWithoutADaemon uses what works when no daemon does.
func TestRealWithoutADaemon(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.stop()
	w.shut(ssh4)
	// A configuration names the socket here, so that no other daemon is meant.
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, []byte("socket = \""+w.socket+"\"\nstate = \""+w.state+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	direct := func(args ...string) ended { return w.runOn(w.net.Server, append(args, "-c", config)...) }

	if e := direct("sesame", "firewall", "show"); e.status != done {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, "guarded   tcp/22", "grants    none")
	}
	if e := direct("sesame", "grant", "203.0.113.9", "tcp/22", "10m"); e.status != done {
		t.Fatalf("%+v", e)
	}
	w.opens(ssh4)
	w.shut(ssh6)
	if e := direct("sesame", "firewall", "show"); !strings.Contains(e.stdout, "203.0.113.9") {
		t.Errorf("%+v", e)
	}

	t.Log("# a daemon adopts it")
	w.start()
	w.opens(ssh4)
	if g := w.grants(); len(g) != 1 || g[0].Door != "" || time.Duration(g[0].Remaining) > 10*time.Minute || time.Duration(g[0].Remaining) < 9*time.Minute {
		t.Errorf("grants %+v", g)
	}
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
	w.kill()

	t.Log("# the guard can be taken away, and loaded as at boot")
	if e := direct("sesame", "firewall", "remove"); e.status != done {
		t.Errorf("%+v", e)
	}
	w.opens(ssh4)
	if e := direct("sesame", "firewall", "show"); e.status != answerNo {
		t.Errorf("%+v", e)
	}
	if e := direct("sesame", "grant", "203.0.113.9", "tcp/22", "10m"); e.status == done {
		t.Errorf("a grant where nothing is guarded: %+v", e)
	}
	if e := direct("sesame", "firewall", "load"); e.status != done {
		t.Errorf("%+v", e)
	}
	w.shut(ssh4)
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.nothingWrong()
}

// TestRealSecondDaemon starts a second one where a first one runs.
func TestRealSecondDaemon(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	first := w.daemon
	w.fails("state directory "+w.state, "another sesame, process ")

	t.Log("# with a state of its own, and the same socket")
	state := w.state
	w.state = w.path("other")
	w.fails(w.socket)

	t.Log("# with both of its own: they would undo each other's guards")
	socket := w.socket
	w.socket = w.path("other socket")
	for _, flags := range [][]string{nil, {"--observe"}, nil, nil} {
		w.flags = flags
		w.fails(fmt.Sprintf("another sesame, process %d, guards this network", first.cmd.Process.Pid))
	}
	w.flags, w.socket = nil, socket
	w.state, w.daemon = state, first
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.nothingWrong()

	t.Log("# a socket that a crash left is in nobody's way")
	w.kill()
	if _, err := os.Stat(w.socket); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.nothingWrong()
}

// TestRealOneFile runs one script, with a module and an option.
func TestRealOneFile(t *testing.T) {
	w := newWorld(t, map[string]string{"other.lua": "broken"})
	if err := os.Mkdir(filepath.Join(w.scripts, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("lib/ports.lua", `return { "tcp/7421", "udp/9133", "tcp/2904" }`)
	w.write("one.lua", `local ttl = sesame.option "ttl" { type = "duration" }
sesame.door "ssh" { sequence = require "ports", guards = "tcp/22", ttl = ttl }`)
	dir := w.scripts
	w.scripts = filepath.Join(dir, "one.lua")
	w.fails("ttl") // it has no default
	w.flags = []string{"--set", "ttl=17m"}
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if g := w.grants(); len(g) != 1 || time.Duration(g[0].TTL) != 17*time.Minute {
		t.Errorf("grants %+v", g)
	}
	w.scripts = dir
	w.write("lib/ports.lua", `return { "tcp/7421", "udp/9133", "tcp/2906" }`)
	w.logged("scripts applied: generation=2")
	w.write("lib/ports.lua", `return {`)
	w.logged("scripts rejected")
	w.nothingOpens(livetest.Source4(1), sshKnocks...)

	t.Log("# the set that was applied last has its module and its option")
	w.kill()
	w.scripts = filepath.Join(dir, "one.lua")
	w.flags = nil
	w.start()
	contains(t, w.log(), "the scripts that were applied last run, not those on the disk")
	w.send(livetest.Source4(2), "tcp/7421", "udp/9133", "tcp/2906")
	w.eventually("it opens", func() bool { return len(w.grants()) == 2 })
	if g := w.grants()[1]; time.Duration(g.TTL) != 17*time.Minute {
		t.Errorf("grant %+v", g)
	}
}

// nothingOpens sends knocks that open nothing.
func (w *world) nothingOpens(source netip.Addr, knocks ...string) {
	w.Helper()
	before := w.status().Counts
	w.send(source, knocks...)
	w.eventually("all is received", func() bool { return w.status().Counts.Packets >= before.Packets+len(knocks)-1 })
	if w.status().Counts.Opens != before.Opens {
		w.Errorf("%v opened something with %v", source, knocks)
	}
}

// TestRealBootWithABrokenConfiguration is a machine that starts after somebody
// mistyped a key: its ports are shut all the same, as they were.
func TestRealBootWithABrokenConfiguration(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.shut(ssh4)
	w.kill()
	w.net.Server.Exec("nft", "flush", "ruleset")
	w.opens(ssh4)

	broken := w.path("broken.toml")
	if err := os.WriteFile(broken, []byte("trustd = []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := w.runOn(w.net.Server, "sesame", "firewall", "load", "-c", broken, "--state", w.state)
	if e.status != done {
		t.Errorf("%+v", e)
	}
	contains(t, e.stdout+e.stderr, "trusted", "shut: tcp/22")
	w.shut(ssh4)
}

// TestRealObservingLeavesNoTrace observes other scripts than those that were in
// earnest: neither the boot nor the next start takes them for good.
func TestRealObservingLeavesNoTrace(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.kill()
	w.flags = []string{"--observe"}
	w.write("ssh.lua", strings.Replace(longDoor, `guards = "tcp/22", `, "", 1))
	w.start()
	w.kill()
	w.flags = nil
	w.start()
	contains(t, w.log(), "outcome=held")
	w.shut(ssh4)
}
