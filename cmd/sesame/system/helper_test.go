//go:build linux

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const helper = "sesame-helper.service"

// helped waits until the helper runs, as root.
func (m *machine) helped() {
	m.Helper()
	m.eventually("the helper runs", func() bool { return m.property(helper, "ActiveState") == "active" })
	if user := m.owner(helper); user != "root" {
		m.Errorf("the helper runs as %s", user)
	}
	if user := m.owner("sesame.service"); user != "sesame" {
		m.Errorf("the daemon runs as %s", user)
	}
}

// owner returns the user that the process of a unit runs as.
func (m *machine) owner(unit string) string {
	m.Helper()
	return strings.TrimSpace(m.run("stat", "-c", "%U", "/proc/"+m.property(unit, "MainPID")))
}

// unhelped waits until no helper runs.
func (m *machine) unhelped() {
	m.Helper()
	m.eventually("no helper runs", func() bool { return m.property(helper, "ActiveState") == "inactive" })
}

// TestSystemHelper has a command that only root can run. It goes through the helper, which ends
// with the daemon.
func TestSystemHelper(t *testing.T) {
	m := noteMachine(t, "")
	m.boot()
	m.opens(free)
	m.helped()
	if access := m.run("stat", "-c", "%U %a", "/run/sesame-helper.sock", "/var/lib/sesame-helper"); access != "sesame 600\nroot 700\n" {
		t.Errorf("who gets at the helper:\n%s", access)
	}
	for path, writes := range map[string]bool{
		"/srv": true, "/var/log": true, "/run": true, "/etc/ufw": true, "/etc/sesame": true,
		"/etc": false, "/usr": false, "/boot": false, "/home": false, "/root": false,
		"/run/systemd": false, "/var/lib/systemd": false, "/var/lib/dpkg": false,
	} {
		if e := m.try("nsenter", "--mount", "--target", m.property(helper, "MainPID"), "test", "-w", path); (e.status == 0) != writes {
			t.Errorf("commands can write to %s: %v, expected %v %s", path, e.status == 0, writes, e.stderr)
		}
	}
	m.knock(sshKnocks...)
	m.wrote(noted)
	m.healthy()

	t.Log("# the helper is killed: its undo stays owed, and the next command runs")
	pid := m.property(helper, "MainPID")
	m.run("sh", "-c", "kill -KILL "+pid)
	m.eventually("another helper runs", func() bool {
		next := m.property(helper, "MainPID")
		return next != pid && next != "0" && m.try("sesame", "status", "--strict").status == 0
	})
	m.run("sesame", "revoke", client4)
	m.wrote(noted + undone)
	m.knock(sshKnocks...)
	m.wrote(noted + undone + noted)

	t.Log("# both are killed: the undo is owed still")
	daemon := m.property("sesame.service", "MainPID")
	m.run("sh", "-c", "kill -KILL "+daemon+" "+m.property(helper, "MainPID"))
	m.restarted(daemon)
	m.helped()
	m.run("sesame", "revoke", client4)
	m.wrote(noted + undone + noted + undone)

	t.Log("# who stops the daemon leaves no process of root")
	m.run("systemctl", "stop", "sesame")
	m.unhelped()
}

// sideDoor is a door without commands, beside one that has some.
var sideDoor = strings.Replace(sshDoor, "tcp/7421", "tcp/5115", 1)

// knockAside knocks at this door.
func (m *machine) knockAside() {
	m.Helper()
	m.knock(append([]string{"tcp/5115"}, sshKnocks[1:]...)...)
}

// TestSystemHelperHangs stops the helper, as a disk that does not answer does. Doors without
// commands go on, and the service manager takes the daemon for alive.
func TestSystemHelperHangs(t *testing.T) {
	m := noteMachine(t, sideDoor)
	m.write("/etc/systemd/system/sesame.service.d/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
	m.boot()
	m.opens(free)
	m.helped()
	pid := m.property(helper, "MainPID")
	m.run("sh", "-c", "kill -STOP "+pid)
	alive := m.number("sesame.service", "WatchdogTimestampMonotonic")
	m.knock(sshKnocks...)
	m.knockAside()
	m.opens(guarded)
	m.eventually("the daemon is alive after three seconds", func() bool {
		return m.number("sesame.service", "WatchdogTimestampMonotonic") > alive+3_000_000
	})
	m.run("sesame", "revoke", client4, "tcp/22")
	m.eventually("it is shut again", func() bool { return !m.connects(guarded) })
	m.run("sh", "-c", "kill -CONT "+pid)
	m.wrote(noted)
	if n := m.property("sesame.service", "NRestarts"); n != "0" || strings.Contains(m.journal("sesame.service"), "Watchdog timeout") {
		t.Errorf("the daemon was restarted %s times\n%s", n, m.journal("sesame.service"))
	}
	m.healthy()
}

// TestSystemUpgradeWithUndo replaces the program while an undo is owed, as a package does. The
// helper is replaced with the daemon.
func TestSystemUpgradeWithUndo(t *testing.T) {
	m := noteMachine(t, sideDoor)
	m.boot()
	m.opens(free)
	m.knock(sshKnocks...)
	m.wrote(noted)
	m.knockAside()
	m.opens(guarded)
	before := m.property("sesame.service", "MainPID")
	m.install(otherProgram(t))
	m.run("systemctl", "restart", "sesame")
	m.restarted(before)
	m.helped()
	m.current("sesame.service")
	m.current(helper)
	m.granted()
	m.healthy()
	if m.notes() != noted {
		t.Errorf("after the restart, this had run:\n%s", m.notes())
	}
	m.run("systemctl", "stop", "sesame")
	if m.notes() != noted+undone {
		t.Errorf("after the stop, this had run:\n%s", m.notes())
	}
}

// rootDropIns are drop-ins of earlier versions, with which commands run as root in the unit of the
// daemon: what docs/from-knockd.md said, and what the comments of sesame.service said.
var rootDropIns = map[string]string{
	"narrow": "[Service]\nUser=root\nReadWritePaths=/srv\n",
	"wide":   "[Service]\nUser=root\nNoNewPrivileges=no\nCapabilityBoundingSet=~\nSystemCallFilter=@privileged @resources\nReadWritePaths=/srv\n",
}

// TestSystemUpgradeFromRoot has such a drop-in. It works as before, and without it the helper runs
// commands. The undo that was pending then is in the daemon's journal, and is not run: who upgrades
// is told. The directory of the helper is there when the drop-in comes back.
func TestSystemUpgradeFromRoot(t *testing.T) {
	for name, lines := range rootDropIns {
		t.Run(name, func(t *testing.T) {
			m := noteMachine(t, "")
			const dropIn = "/etc/systemd/system/sesame.service.d/root.conf"
			m.write(dropIn, lines)
			m.boot()
			m.opens(free)
			m.knock(sshKnocks...)
			m.wrote(noted)
			m.unhelped()
			m.run("sh", "-c", "kill -KILL "+m.property("sesame.service", "MainPID")) // else the undo runs now
			m.run("rm", dropIn)
			m.run("systemctl", "daemon-reload")
			m.run("systemctl", "restart", "sesame")
			m.helped()
			m.run("sesame", "revoke", client4)
			m.eventually("the undo is reported", func() bool { return strings.Contains(m.run("sesame", "status"), "undo-lost") })
			m.knock(sshKnocks...)
			m.wrote(noted + noted)
			m.run("sesame", "revoke", client4)
			m.wrote(noted + noted + undone)

			m.write(dropIn, lines)
			m.run("systemctl", "daemon-reload")
			m.run("systemctl", "restart", "sesame")
			m.knock(sshKnocks...)
			m.wrote(noted + noted + undone + noted)
			m.healthy()
		})
	}
}

// TestSystemPrivateScripts has scripts that only root can read. The helper reads and watches them.
func TestSystemPrivateScripts(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	if err := os.Chmod(m.path("/etc/sesame/scripts"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.boot()
	m.opens(free)
	m.helped()
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.healthy()
	m.write("/etc/sesame/scripts/ssh.lua", sshDoor+otherDoor)
	m.eventually("the edit is in force", func() bool { return !m.connects(other) })
	m.granted()
}

// onceDoor is a door with one-time sequences, of which one is used.
const onceDoor = `sesame.door "once" { one_time_sequences = "/etc/sesame/once", within = "30s", guards = "tcp/22", ttl = "30m" }
`

// TestSystemOneTimeSequence uses a one-time sequence in a file of root.
func TestSystemOneTimeSequence(t *testing.T) {
	m := newMachine(t, map[string]string{"once.lua": onceDoor})
	m.write("/etc/sesame/once", "7421:tcp,9133:udp,2904:tcp,6117:tcp\n5115:tcp,3771:udp,8264:tcp,4093:tcp\n")
	if err := os.Chmod(m.path("/etc/sesame/once"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.boot()
	m.opens(free)
	m.helped()
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.eventually("the line is commented out", func() bool {
		text, _ := os.ReadFile(m.path("/etc/sesame/once"))
		return string(text) == "#421:tcp,9133:udp,2904:tcp,6117:tcp\n5115:tcp,3771:udp,8264:tcp,4093:tcp\n"
	})
	m.healthy()
}

// TestSystemOwnGroup has the user sesame from before, with another group than its own.
func TestSystemOwnGroup(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	for name, line := range map[string]string{
		"passwd": "sesame:x:990:100:Sesame:/var/lib/sesame:/usr/sbin/nologin\n", "shadow": "sesame:!*:20000::::::\n",
	} {
		path := filepath.Join("/etc", name)
		text, err := os.ReadFile(m.path(path))
		if err != nil {
			t.Fatal(err)
		}
		m.write(path, string(text)+line)
	}
	if err := os.Chmod(m.path("/etc/shadow"), 0o640); err != nil {
		t.Fatal(err)
	}
	m.boot()
	m.run("systemd-sysusers", "sesame.conf")
	m.run("chgrp", "-R", "sesame", "/etc/sesame")
	m.run("chmod", "-R", "u=rwX,g=rX,o=", "/etc/sesame")
	m.run("systemctl", "restart", "sesame")
	m.opens(free)
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.healthy()
	m.unhelped()
}
