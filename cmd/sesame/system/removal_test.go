//go:build linux

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemPackageRemovedWhileItIsBroken removes the package of a daemon that does not start,
// while an undo is pending. The removal runs it. One that fails is named, and is noted until the
// package comes back.
func TestSystemPackageRemovedWhileItIsBroken(t *testing.T) {
	m, two := newCustomer(t)
	m.add(two.newer)
	m.write("/usr/local/bin/note", "#!/bin/sh\n! test -e /srv/fails || exit 3\necho \"$*\" >>/srv/notes\n")
	m.run("chmod", "755", "/usr/local/bin/note")
	m.write("/etc/sesame/scripts/note.lua", noteDoor)
	m.owes(noted)
	if said := m.dpkg("--remove", "sesame"); !strings.Contains(said, "sesame: 1 undo command succeeded, 0 still pending\n") || strings.Contains(said, "by hand") {
		t.Errorf("the removal does not say that it ran the undo:\n%s", said)
	}
	m.wrote(noted + undone)

	t.Log("# and when the undo fails")
	m.add(two.newer)
	m.owes(noted + undone + noted)
	m.write("/srv/fails", "")
	said := m.dpkg("--remove", "sesame")
	for _, part := range []string{"sesame: warning: still pending: /usr/local/bin/note end " + client4 + "\n", "run them by hand"} {
		if !strings.Contains(said, part) {
			t.Errorf("the removal does not say %q:\n%s", part, said)
		}
	}
	if strings.Count(said, "pending: /usr") != 1 {
		t.Errorf("the removal says more than once what is pending:\n%s", said)
	}
	m.unitsAre("is-active", "inactive")

	t.Log("# the package comes back, and so do the grant and its undo")
	m.run("rm", "/srv/fails", "/etc/sesame/sesame.toml")
	m.add(two.newer)
	m.run("systemctl", "start", "sesame")
	m.run("sesame", "revoke", client4)
	m.wrote(noted + undone + noted + undone)
}

// owes has the daemon run until the command has run, and then restarts it with settings that it
// cannot read. It tries to start for ever, and the undo is pending.
func (m *machine) owes(notes string) {
	m.Helper()
	m.write("/etc/sesame/sesame.toml", "")
	m.run("systemctl", "start", "sesame")
	m.knock(sshKnocks...)
	m.wrote(notes)
	m.write("/etc/sesame/sesame.toml", "interfaces = 7\n")
	if e := m.try("systemctl", "restart", "sesame"); e.status == 0 {
		m.Fatal("the daemon starts with settings that it cannot read")
	}
	if m.notes() != notes {
		m.Fatalf("the restart ran the undo:\n%s", m.notes())
	}
}

// TestSystemPackagePurgedLater purges the package long after it was removed. Meanwhile somebody has
// installed Sesame from source. It stays, without the files below /etc that dpkg deletes by itself.
func TestSystemPackagePurgedLater(t *testing.T) {
	m, two := newCustomer(t)
	m.add(two.newer)
	m.write("/etc/sesame/scripts/ssh.lua", sshDoor)
	m.run("systemctl", "enable", "--now", "sesame")
	m.dpkg("--remove", "sesame")

	m.install(program)
	for _, unit := range units {
		m.copy(filepath.Join("..", "..", "..", "daemon", "systemd", unit), "/etc/systemd/system/"+unit, 0o644)
	}
	m.write("/etc/systemd/system/sesame.service.d/own.conf", "[Service]\nNice=-9\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "enable", "--now", "sesame")
	m.knock(sshKnocks...)
	m.opens(guarded)
	before := m.property("sesame.service", "MainPID")

	said := m.dpkg("--purge", "sesame")
	if !strings.Contains(said, "another installation is here, with /usr/sbin/sesame, so these stay: /etc/sesame /var/lib/sesame ") {
		t.Errorf("the purge does not say what stays:\n%s", said)
	}
	m.run("systemctl", "daemon-reload")
	m.unitsAre("is-enabled", "enabled", "enabled", "static", "enabled")
	if now := m.property("sesame.service", "MainPID"); now != before {
		t.Errorf("the daemon was process %s, and is %s", before, now)
	}
	if text, err := os.ReadFile(m.path("/etc/sesame/scripts/ssh.lua")); err != nil || string(text) != sshDoor {
		t.Errorf("the scripts: %v\n%s", err, text)
	}
	m.run("systemctl", "restart", "sesame")
	m.granted()
	m.healthy()
}

// TestSystemPackageByHand removes the package while somebody's own daemon guards the machine. It is
// refused, and all is as before.
func TestSystemPackageByHand(t *testing.T) {
	m, two := newCustomer(t)
	m.add(two.newer)
	m.write("/etc/sesame/scripts/ssh.lua", sshDoor)
	m.run("systemctl", "enable", "--now", "sesame")
	m.run("systemctl", "stop", "sesame")
	m.run("systemd-run", "--quiet", "--unit=own", "/usr/sbin/sesame", "run")
	m.eventually("the own daemon answers", func() bool { return m.try("sesame", "status").status == 0 })
	if e := m.try("systemctl", "start", "sesame"); e.status == 0 {
		t.Fatal("two daemons guard one network")
	}
	states := []string{"activating", "active", "inactive", "active"}
	m.unitsAre("is-active", states...)

	e := m.try("dpkg", "--remove", "sesame")
	said := e.stdout + e.stderr
	if pid := m.property("own.service", "MainPID"); e.status == 0 || !strings.Contains(said, "sesame: a sesame, process "+pid+", guards this network") || strings.Contains(said, "sesame: sesame:") {
		t.Errorf("the removal ended with %d, and said\n%s", e.status, said)
	}
	m.unitsAre("is-active", states...)
	m.unitsAre("is-enabled", "enabled", "enabled", "static", "enabled")
	m.shut(guarded)
	m.run("systemctl", "stop", "own")
	m.eventually("the unit's daemon runs", func() bool { return m.property("sesame.service", "ActiveState") == "active" })
	m.dpkg("--purge", "sesame")
	m.opens(guarded)
}

// TestSystemPackageOfADirectory has a guarded machine make an image, with the scripts of the
// packages outside of it (DPKG_ROOT). Neither its daemon nor its guard is of the image.
func TestSystemPackageOfADirectory(t *testing.T) {
	m, two, stranger := newGuarded(t)
	m.copy(two.newer, "/root/newer.deb", 0o644)
	m.shell(`mkdir -p /root/image/var/lib/dpkg/info /root/image/var/lib/dpkg/updates /root/image/etc /root/image/run/systemd/system
touch /root/image/var/lib/dpkg/status /root/image/etc/passwd /root/image/etc/group`)
	before := m.property("sesame.service", "MainPID")
	image := []string{"--root=/root/image", "--force-script-chrootless"}
	m.dpkg(append(image, "--install", "/root/newer.deb")...)
	m.run("grep", "-q", "^sesame:", "/root/image/etc/passwd")
	m.dpkg(append(image, "--remove", "sesame")...)
	m.dpkg(append(image, "--purge", "sesame")...)
	if m.try("test", "-e", "/root/image/etc/sesame").status == 0 {
		t.Error("after the purge the image has /etc/sesame")
	}
	if now := m.property("sesame.service", "MainPID"); now != before {
		t.Errorf("the daemon was process %s, and is %s", before, now)
	}
	m.unitsAre("is-enabled", "enabled", "enabled", "static", "enabled")
	m.granted()
	m.healthy()
	stranger.keptOut()
}
