//go:build linux

package system

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// dropIn returns the first drop-in behind some words of a page or of a unit. Its lines begin with a
// prefix there.
func dropIn(t *testing.T, file, words, prefix string) string {
	t.Helper()
	_, rest, _ := strings.Cut(readText(t, file), words)
	_, rest, found := strings.Cut(rest, "\n"+prefix+"[Service]\n")
	lines := "[Service]\n"
	for line := range strings.Lines(rest) {
		setting, more := strings.CutPrefix(line, prefix)
		if !more {
			break
		}
		lines += setting
	}
	if !found || lines == "[Service]\n" {
		t.Fatalf("%s has no drop-in", file)
	}
	return lines
}

// restartWith gives a unit a drop-in in place of the last one, and restarts the daemon.
func (m *machine) restartWith(unit, dropIn string) {
	m.Helper()
	m.write("/etc/systemd/system/"+unit+".d/test.conf", dropIn)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "sesame")
}

// TestSystemSecurity holds the score that systemd gives the daemon, from 0 for one that can do
// nothing to 10. The daemon must work with it.
func TestSystemSecurity(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.boot()
	m.exposed("sesame.service", 2.3)
	m.exposed("sesame-guard.service", 1.9)
	m.exposed("sesame-helper.service", 3.5)

	m.restartWith("sesame.service", dropIn(t, "docs/running.md", "with less", "    "))
	m.exposed("sesame.service", 1.5)
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.run("systemctl", "reload", "sesame")
	m.healthy()
}

// exposed checks that a unit's exposure is not more.
func (m *machine) exposed(unit string, most float64) {
	m.Helper()
	out := m.run("systemd-analyze", "security", "--no-pager", unit)
	score := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if score == nil {
		m.Fatalf("systemd-analyze security:\n%s", out)
	}
	m.Logf("%s: exposure %s", unit, score[1])
	if level, err := strconv.ParseFloat(score[1], 64); err != nil || level > most {
		m.Errorf("%s: exposure %s, %v: expected at most %v\n%s", unit, score[1], err, most, out)
	}
}

// escapeDoor asks the service manager to run a program, which would be outside the unit.
const escapeDoor = `local escape = sesame.command { "/usr/bin/systemd-run", "--quiet", "--wait", "touch", "/srv/escaped" }
sesame.door "escape" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "30s",
  on_open = function(attempt) attempt:exec(escape) end,
}
`

// TestSystemNoEscape runs a command that would leave its unit by way of the service manager: in the
// helper, and as root in the daemon's unit, as with a drop-in of earlier versions. Only the line
// that docs/from-knockd.md names lets it.
func TestSystemNoEscape(t *testing.T) {
	m := newMachine(t, map[string]string{"escape.lua": escapeDoor})
	m.boot()
	m.opens(free)
	for _, user := range []string{"sesame", "root"} {
		m.restartWith("sesame.service", "[Service]\nUser="+user+"\n")
		m.knock(sshKnocks...)
		m.eventually("the command failed", func() bool {
			return strings.Contains(m.try("sesame", "status", "--strict").stdout, "command-fails")
		})
		if m.escaped() {
			t.Errorf("with the daemon as %s a command left its unit", user)
		}
	}
	m.restartWith("sesame.service", "[Service]\n")
	m.restartWith("sesame-helper.service", "[Service]\nInaccessiblePaths=\n")
	m.knock(sshKnocks...)
	m.eventually("the command ran", m.escaped)
}

func (m *machine) escaped() bool {
	_, err := os.Stat(m.path("/srv/escaped"))
	return err == nil
}

// otherUserDoor has a command that becomes another user.
const otherUserDoor = `local write = sesame.command { "/usr/sbin/runuser", "-u", "nobody", "--", "touch", "/srv/www/written" }
sesame.door "write" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "30s",
  on_open = function(attempt) attempt:exec(write) end,
}
`

// TestSystemOtherUser runs a command that becomes another user, with our units alone.
func TestSystemOtherUser(t *testing.T) {
	m := newMachine(t, map[string]string{"write.lua": otherUserDoor})
	m.boot()
	m.opens(free)
	m.run("install", "-d", "-o", "nobody", "/srv/www")
	m.knock(sshKnocks...)
	m.eventually("the command ran", func() bool { return m.try("test", "-e", "/srv/www/written").status == 0 })
	if owner := strings.TrimSpace(m.run("stat", "-c", "%U", "/srv/www/written")); owner != "nobody" {
		t.Errorf("it ran as %s", owner)
	}
}
