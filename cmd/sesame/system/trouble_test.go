//go:build linux

package system

import (
	"os"
	"strings"
	"testing"
)

// TestSystemBrokenConfiguration boots a machine whose configuration was broken. The guards are
// there, the service manager never gives up, and once the file is right the daemon runs.
func TestSystemBrokenConfiguration(t *testing.T) {
	m := knocked(t)
	m.write("/etc/sesame/sesame.toml", "interfaces = 7\n")
	m.powerOff()
	m.powerOn()
	m.opens(free)
	m.eventually("it was started six times", func() bool {
		return m.try("systemctl", "show", "sesame").status == 0 && m.number("sesame.service", "NRestarts") > 5
	})
	if state := m.property("sesame-guard.service", "ActiveState"); state != "active" {
		m.Errorf("the guard is %s\n%s", state, m.journal("sesame-guard.service"))
	}
	m.write("/etc/sesame/sesame.toml", "")
	m.eventually("the daemon runs", func() bool { return m.property("sesame.service", "ActiveState") == "active" })
	m.granted()
}

// TestSystemNftables restarts the service that flushes all rules. It does so at each boot, too.
func TestSystemNftables(t *testing.T) {
	m := newMachine(t, map[string]string{"doors.lua": sshDoor + otherDoor})
	m.enable("nftables.service")
	m.boot()
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.powerOff()
	m.powerOn()
	stranger := m.stranger(other)
	m.booted()
	m.granted()
	stranger.keptOut()
	m.run("systemctl", "restart", "nftables")
	m.eventually("the table is there again", func() bool { return !m.connects(other) })
	m.granted()
}

// TestSystemKnockdLog lets the daemon write what programs read that were written for knockd.
func TestSystemKnockdLog(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.write("/etc/sesame/sesame.toml", "[log]\nknockd = \"/var/log/sesame/knockd.log\"\nknockd_syslog = true\n")
	m.boot()
	m.knock(sshKnocks...)
	m.opens(guarded)
	const want = client4 + ": ssh: OPEN SESAME"
	m.eventually("the file has the line", func() bool {
		text, _ := os.ReadFile(m.path("/var/log/sesame/knockd.log"))
		return strings.Contains(string(text), want)
	})
	m.eventually("the system's log has the line", func() bool {
		return strings.Contains(m.run("journalctl", "--boot", "--no-pager", "--identifier=knockd"), want)
	})
}
