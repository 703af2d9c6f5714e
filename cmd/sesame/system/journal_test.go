//go:build linux

package system

import (
	"encoding/json"
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
