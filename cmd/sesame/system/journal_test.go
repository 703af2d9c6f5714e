//go:build linux

package system

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries returns what the journal has of a match, such as "DOOR=ssh": these fields of each entry.
func (m *machine) entries(match string, fields ...string) (all []string) {
	m.Helper()
	for line := range strings.Lines(m.run("journalctl", "--boot", "--output=json", match)) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			m.Fatalf("%v: %s", err, line)
		}
		var values []string
		for _, name := range fields {
			value, _ := entry[name].(string)
			values = append(values, value)
		}
		all = append(all, strings.Join(values, " "))
	}
	return all
}

// TestSystemJournalFields asks the journal for a door. The daemon is confined, and goes on logging
// when journald is restarted, and when its socket is made anew.
func TestSystemJournalFields(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.boot()
	if status := m.run("sesame", "status"); !strings.Contains(status, "system calls") {
		t.Errorf("the daemon is not confined:\n%s", status)
	}
	about := []string{"EVENT", "DOOR", "SOURCE", "PORT", "REASON", "PRIORITY", "SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT"}
	const entry = " ssh " + client4 + " tcp/22 "
	want := []string{"open ssh " + client4 + "   6 sesame sesame.service", "allow" + entry + " 6 sesame sesame.service"}
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.eventually("the journal has the opening", func() bool { return len(m.entries("DOOR=ssh")) >= len(want) })
	if diff := cmp.Diff(want, m.entries("DOOR=ssh", about...)); diff != "" {
		t.Errorf("journalctl DOOR=ssh (-want +got):\n%s", diff)
	}
	if texts := m.entries("EVENT=allow", "MESSAGE", "GRANT", "SESAME_TTL"); len(texts) != 1 || !strings.HasPrefix(texts[0], "[INFO]  access opened: door=ssh source="+client4) || !strings.HasSuffix(texts[0], " 1 30m0s") {
		t.Errorf("the entry reads %q", texts)
	}

	m.run("systemctl", "restart", "systemd-journald.service")
	m.run("sesame", "revoke", client4)
	want = append(want, "close"+entry+"revoked 6 sesame sesame.service")
	m.eventually("the journal has the end", func() bool { return len(m.entries("DOOR=ssh")) >= len(want) })
	if diff := cmp.Diff(want, m.entries("DOOR=ssh", about...)); diff != "" {
		t.Errorf("journalctl DOOR=ssh (-want +got):\n%s", diff)
	}

	m.run("systemctl", "stop", "systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
	m.knock(sshKnocks...)
	m.opens(guarded) // whether anybody logs or not
	m.run("systemctl", "start", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
	m.run("sesame", "revoke", client4)
	m.eventually("the journal has another end", func() bool { return len(m.entries("EVENT=close")) >= 2 })
	m.healthy()
}

// TestSystemLogFiles rotates the log files of the unit with the real logrotate, and asks who did
// what: the unit hides the processes of others from the daemon.
func TestSystemLogFiles(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.write("/etc/sesame/sesame.toml", "[log]\nknockd = \"/var/log/sesame/knockd.log\"\n")
	m.copy("../../../daemon/systemd/logrotate.conf", "/etc/logrotate.d/sesame", 0o644)
	m.boot()
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.run("sesame", "revoke", client4)
	before := m.property("sesame.service", "MainPID")
	m.run("logrotate", "--force", "/etc/logrotate.d/sesame")
	m.knock(sshKnocks...)
	m.opens(guarded)
	opened := func(path string) bool {
		text, err := os.ReadFile(m.path(path))
		return err == nil && strings.Count(string(text), "OPEN SESAME") == 1
	}
	m.eventually("each file has one opening", func() bool {
		return opened("/var/log/sesame/knockd.log") && opened("/var/log/sesame/knockd.log.1")
	})
	if now := m.property("sesame.service", "MainPID"); now != before {
		t.Errorf("the signal ended the daemon: %s", m.journal("sesame.service"))
	}

	m.run("sh", "-c", "SUDO_USER=ana sesame grant 203.0.113.9 tcp/22 10m")
	m.eventually("it is in the audit log", func() bool { return strings.Contains(m.run("sesame", "audit"), "grant done") })
	printed := m.run("sesame", "audit", "--action", "grant")
	for _, part := range []string{" UTC  grant done by root pid=", "claimed_command=grant claimed_sudo_user=ana", " source=203.0.113.9 port=tcp/22 ttl=10m grant="} {
		if !strings.Contains(printed, part) {
			t.Errorf("sesame audit prints %q, without %q", printed, part)
		}
	}
	if got := m.entries("EVENT=audit", "SESAME_ACTION", "SESAME_UID", "SESAME_CLAIMED_SUDO_USER", "SOURCE"); !cmp.Equal(got, []string{"revoke 0  " + client4, "grant 0 ana 203.0.113.9"}) {
		t.Errorf("the journal has %q", got)
	}
	const mode = "600 sesame sesame /var/lib/sesame/audit.log\n640 sesame sesame /var/log/sesame/knockd.log\n"
	if got := m.run("stat", "-c", "%a %U %G %n", "/var/lib/sesame/audit.log", "/var/log/sesame/knockd.log"); got != mode {
		t.Errorf("the files are\n%s", got)
	}
	m.healthy()
	m.run("systemctl", "stop", "sesame")
	m.run("sesame", "firewall", "remove")
	if printed := m.run("sesame", "audit", "-n", "1"); !strings.Contains(printed, "firewall-remove done by root") || !strings.Contains(printed, "ports=tcp/22 direct=true") {
		t.Errorf("sesame audit prints %q", printed)
	}
}
