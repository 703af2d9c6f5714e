//go:build linux

package system

import (
	"os"
	"strings"
	"testing"
)

// TestSystemUser has a daemon that is not root, with the state of an earlier version that was. It
// opens its door, and without its helper it says what to do when it cannot read its scripts.
func TestSystemUser(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	if err := os.MkdirAll(m.path("/var/lib/sesame"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.write("/var/lib/sesame/lock", "")
	m.write("/etc/sesame/sesame.toml", "confine = true\n")
	m.boot()
	if user := m.owner("sesame.service"); user != "sesame" {
		t.Errorf("the daemon runs as %s", user)
	}
	if owners := m.run("stat", "-c", "%U %a", "/var/lib/sesame", "/var/lib/sesame/lock", "/run/sesame"); owners != "sesame 700\nsesame 644\nsesame 755\n" {
		t.Errorf("what it owns:\n%s", owners)
	}
	m.knock(sshKnocks...)
	m.opens(guarded)
	status := m.run("sesame", "status")
	for _, want := range []string{"health: ok", "confined   files (Landlock ", "runs as    sesame, with CAP_NET_RAW and CAP_NET_ADMIN"} {
		if !strings.Contains(status, want) {
			t.Errorf("expected %q in\n%s", want, status)
		}
	}

	t.Log("# without the helper it says who must be able to read")
	m.write("/etc/sesame/sesame.toml", "helper = \"\"\n")
	m.run("chmod", "0700", "/etc/sesame/scripts")
	m.run("touch", "/etc/sesame/scripts/ssh.lua")
	m.run("systemctl", "restart", "sesame")
	m.eventually("it says who must be able to read", func() bool {
		return strings.Contains(m.journal("sesame.service"), "which must be able to read the scripts and what they name: chgrp -R ")
	})
	m.knock(sshKnocks...)
	m.opens(guarded) // by the set that was applied last
	m.run("chgrp", "-R", "sesame", "/etc/sesame")
	m.run("chmod", "-R", "g+rX", "/etc/sesame")
	m.run("sesame", "reload")
	if status := m.run("sesame", "status"); !strings.HasPrefix(status, "health: ok") {
		t.Error(status)
	}
}
