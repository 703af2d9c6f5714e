//go:build linux

package system

import (
	"fmt"
	"strings"
	"testing"
)

// knocked boots a machine with two doors, lets the client through one of them, and has a stranger
// try the other one until the test ends. The stranger must never get in.
func knocked(t *testing.T, prepare ...func(*machine)) *machine {
	t.Helper()
	m := newMachine(t, map[string]string{"doors.lua": sshDoor + otherDoor})
	for _, f := range prepare {
		f(m)
	}
	m.boot()
	m.opens(free)
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.Cleanup(m.stranger(other).keptOut)
	return m
}

// restarted waits until the daemon runs as another process than this one, and answers.
func (m *machine) restarted(before string) {
	m.Helper()
	m.eventually("another daemon runs", func() bool {
		return m.property("sesame.service", "MainPID") != before &&
			m.property("sesame.service", "ActiveState") == "active" && m.try("sesame", "status").status == 0
	})
}

// granted checks that the client has its grant, and gets in with it.
func (m *machine) granted() {
	m.Helper()
	if grants := m.run("sesame", "grants"); !strings.Contains(grants, client4) {
		m.Errorf("the client has no grant:\n%s\n%s", grants, m.journal("sesame.service"))
	}
	m.opens(guarded)
}

// TestSystemStart checks that the service manager takes the daemon for started when its guard is in
// the kernel, and that the daemon finds nothing wrong with a machine that was set up as documented.
// No helper stays.
func TestSystemStart(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.write("/etc/systemd/system/sesame.service.d/started.conf", "[Service]\nExecStartPost=+/usr/sbin/nft list table inet sesame\n")
	m.boot()
	if text := m.property("sesame.service", "StatusText"); text != "enforce, guarding tcp/22" {
		t.Errorf("the service manager was told %q", text)
	}
	m.healthy()
	m.unhelped() // it has nothing to do
}

// TestSystemWatchdog stops the daemon as a hanging disk or a debugger does.
func TestSystemWatchdog(t *testing.T) {
	m := knocked(t, func(m *machine) {
		m.write("/etc/systemd/system/sesame.service.d/watchdog.conf", "[Service]\nWatchdogSec=5s\n")
	})
	session, before := m.session(guarded), m.property("sesame.service", "MainPID")
	m.run("sh", "-c", "kill -STOP "+before)
	m.restarted(before)
	if !strings.Contains(m.journal("sesame.service"), "Watchdog timeout") {
		t.Errorf("not the watchdog restarted it:\n%s", m.journal("sesame.service"))
	}
	m.granted()
	m.echoes(session)
}

// TestSystemKill ends the daemon as a crash does.
func TestSystemKill(t *testing.T) {
	m := knocked(t)
	session, before := m.session(guarded), m.property("sesame.service", "MainPID")
	m.run("sh", "-c", "kill -KILL "+before)
	m.restarted(before)
	m.granted()
	m.echoes(session)
	if n := m.property("sesame.service", "NRestarts"); n != "1" {
		t.Errorf("it was restarted %s times", n)
	}
}

// TestSystemReload checks that the service manager learns what became of a reload.
func TestSystemReload(t *testing.T) {
	m := knocked(t)
	before := m.property("sesame.service", "MainPID")
	m.write("/etc/sesame/scripts/doors.lua", strings.ReplaceAll(sshDoor, "30m", "20m")+otherDoor)
	m.run("systemctl", "reload", "sesame")
	m.write("/etc/sesame/scripts/doors.lua", "sesame.door {")
	if e := m.try("systemctl", "reload", "sesame"); e.status == 0 {
		t.Error("a rejected script set is a reload that worked")
	}
	if warnings := m.run("journalctl", "--boot", "--output=cat", "--priority=warning", "--unit=sesame"); !strings.Contains(warnings, "doors.lua:1") {
		t.Errorf("the journal has no warning with the place:\n%s", m.journal("sesame.service"))
	}
	if state := m.property("sesame.service", "ActiveState"); state != "active" || before != m.property("sesame.service", "MainPID") {
		t.Errorf("after a failed reload it is %s, with the process %s", state, m.property("sesame.service", "MainPID"))
	}
	m.granted()
}

// TestSystemUpgrade replaces the program while a session and a grant live, as a package does.
func TestSystemUpgrade(t *testing.T) {
	m := knocked(t)
	session, before := m.session(guarded), m.property("sesame.service", "MainPID")
	m.install(otherProgram(t))
	m.run("systemctl", "restart", "sesame")
	m.restarted(before)
	m.current("sesame.service")
	m.granted()
	m.echoes(session)
}

// current checks that the process of a unit is the program that is installed.
func (m *machine) current(unit string) {
	m.Helper()
	running := m.run("sha256sum", fmt.Sprintf("/proc/%s/exe", m.property(unit, "MainPID")))
	if installed := m.run("sha256sum", "/usr/sbin/sesame"); strings.Fields(running)[0] != strings.Fields(installed)[0] {
		m.Errorf("the old program runs as %s", unit)
	}
}

// TestSystemReboot shuts a machine down, and then cuts its power. A grant outlives both.
func TestSystemReboot(t *testing.T) {
	m := newMachine(t, map[string]string{"doors.lua": sshDoor + otherDoor})
	m.boot()
	m.knock(sshKnocks...)
	m.opens(guarded)
	for _, end := range []func(){m.powerOff, m.cutPower} {
		end()
		m.powerOn()
		stranger := m.stranger(other)
		m.booted()
		m.granted()
		stranger.keptOut()
	}
}
