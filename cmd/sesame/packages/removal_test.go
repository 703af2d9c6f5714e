//go:build linux

package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the program says to helper --settle when all is done, and to both commands while a daemon
// runs that the unit did not start.
const (
	nothingPending = `echo "no undo command is pending"`
	byHand         = `echo "sesame: a sesame, process 7, guards this network: stop it first" >&2; exit 2`
)

// While somebody's own daemon runs nothing is removed, and all units are as they were before.
func TestRefusedRemoval(t *testing.T) {
	for _, state := range []string{"active", "activating", "failed", "inactive"} {
		for name, says := range map[string][2]string{"seen first": {byHand, byHand}, "started meanwhile": {nothingPending, byHand}} {
			t.Run(state+", "+name, func(t *testing.T) {
				m := newTarget(t, true)
				m.sesame(says[0], says[1])
				want := call{script: "before-remove", args: "remove", has: []string{state}, fails: true,
					prints: []string{"sesame: a sesame, process 7, guards", "sesame: not removed"}, never: []string{"disable"}}
				switch {
				case state == "active": // a stop that policy-rc.d forbids, or a daemon of another network
					want.calls = []string{"stop sesame.service", "helper --settle", "start sesame.service"}
					if name == "seen first" {
						want.never = append(want.never, "firewall")
					}
				case name == "seen first":
					want.never = append(want.never, " stop ", " start ", "firewall")
				default:
					want.never = append(want.never, " start ")
				}
				m.expect(want)
				if _, err := os.Stat(m.root + "/active"); (err == nil) != (state == "active") {
					t.Errorf("the daemon was %s, and %v", state, err)
				}
			})
		}
	}
}

// Undo commands that are pending run when the daemon has ended, and before the guard goes. Those
// that stay pending are named.
func TestRemovalRunsUndos(t *testing.T) {
	for _, test := range []struct {
		name, settle string
		prints       []string
		all          bool // nothing is left
	}{
		{"all run", `echo "2 undo commands succeeded, 0 still pending"`, []string{"sesame: 2 undo commands succeeded, 0 still pending\n"}, true},
		{"one fails", `echo "sesame: warning: still pending: /bin/false" >&2; echo "1 undo command succeeded, 1 still pending"; exit 1`,
			[]string{"sesame: warning: still pending: /bin/false\nsesame: 1 undo command succeeded", "run them by hand"}, false},
		{"whatever the caller's environment names", `echo "ran ${SESAME_CONFIG-the unit's}${SESAME_SOCKET-}"`, []string{"sesame: ran the unit's\n"}, true},
		{"a command of a shell", `printf '%s\n' 'sesame: warning: still pending: sed s/a\nb\c/' >&2; exit 1`, []string{`sesame: warning: still pending: sed s/a\nb\c/` + "\n"}, false},
		{"the journal cannot be read", `echo "sesame: reading the journal: input/output error" >&2; exit 2`,
			[]string{"sesame: reading the journal: input/output error\n", "run them by hand"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newTarget(t, true)
			m.environment = append(m.environment, "SESAME_CONFIG=/other.toml", "SESAME_SOCKET=/other.sock")
			m.sesame(test.settle, `echo "sesame: warning: pending: /bin/false" >&2; echo "removed; it shut nothing"`)
			m.expect(call{script: "before-remove", args: "remove", has: []string{"active"}, prints: append(test.prints, "sesame: removed; it shut nothing\n"), calls: []string{
				"stop sesame.service sesame-helper.socket sesame-helper.service sesame-guard.service", "sesame helper --settle", "sesame firewall remove", "disable"}})
			printed, _, _ := m.run("before-remove", "remove")
			if test.all == strings.Contains(printed, "by hand") || strings.Contains(printed, "warning: pending") {
				t.Errorf("it prints\n%s", printed)
			}
		})
	}
}

// Where systemd does not do what it is asked for, the removal goes on: the guard must go, and dpkg
// must not be left with half a package.
func TestRemovalWithoutTheHelpOfSystemd(t *testing.T) {
	for _, debian := range []bool{true, false} {
		t.Run(fmt.Sprintf("debian %v", debian), func(t *testing.T) {
			m := newTarget(t, debian)
			m.program("systemctl", `case "$*" in *is-active*) exit 0;; *) exit 1;; esac`)
			if debian {
				m.program("deb-systemd-invoke", `exit 1`)
				m.program("deb-systemd-helper", `exit 1`)
			}
			m.expect(call{script: "before-remove", args: "remove", calls: []string{"stop sesame.service", "helper --settle", "firewall remove", "disable"}, prints: []string{"sesame: removed"}})
			m.expect(call{script: "after-remove", args: "remove", calls: []string{"daemon-reload"}, silent: true})
			m.has(purged...)
			m.filesGone()
			m.expect(call{script: "after-remove", args: "purge", prints: []string{"sesame: deleted /etc/sesame"}})
			m.there(purged, false)
		})
	}
}

// Removing it never leaves a guard that nobody can knock at, and never opens the ports of the
// machine around a chroot.
func TestRemovalAndTheGuard(t *testing.T) {
	t.Run("the table cannot be removed", func(t *testing.T) {
		m := newTarget(t, true)
		m.sesame(nothingPending, `echo "sesame: the kernel is busy" >&2; exit 2`)
		m.expect(call{script: "before-remove", args: "remove", calls: []string{"disable"}, prints: []string{"sesame: the kernel is busy\n", "nft delete table inet sesame"}})
	})
	t.Run("no right to look", func(t *testing.T) {
		m := newTarget(t, true)
		m.sesame(nothingPending, `echo "sesame: removing the firewall's table: operation not permitted" >&2; exit 2`)
		m.expect(call{script: "before-remove", args: "remove", calls: []string{"disable"}, prints: []string{
			"sesame: removing the firewall's table: operation not permitted\n", "could not look for a guard", "as on the host of a container: nft delete table inet sesame"}})
	})
	t.Run("a chroot", func(t *testing.T) {
		m := newTarget(t, true)
		m.program("stat", `case "$*" in */proc/1/root) echo 1:2;; *) echo 1:3;; esac`)
		m.expect(call{script: "before-remove", args: "remove", silent: true, never: []string{"firewall"}, calls: []string{"disable"}})
	})
	t.Run("a chroot without /proc", func(t *testing.T) {
		m := newTarget(t, true)
		m.program("stat", `case "$*" in */proc/1/root) exit 1;; *) echo 1:2;; esac`)
		m.expect(call{script: "before-remove", args: "remove", silent: true, never: []string{"firewall"}, calls: []string{"disable"}})
	})
	t.Run("no systemd runs", func(t *testing.T) {
		m := newTarget(t, true)
		if err := os.RemoveAll(m.root + "/run"); err != nil {
			t.Fatal(err)
		}
		m.expect(call{script: "after-install", args: "configure", never: append([]string{"systemctl"}, actions...), prints: []string{"Sesame is installed"}})
		m.expect(call{script: "before-remove", args: "remove", calls: []string{"firewall remove", "disable"}, never: []string{" stop ", "systemctl "}})
		m.expect(call{script: "after-remove", args: "remove", silent: true, never: []string{"systemctl"}})
	})
	t.Run("an rpm on Debian", func(t *testing.T) {
		m := newTarget(t, true)
		m.environment = m.environment[:1]
		m.expect(call{script: "after-install", args: "2", has: []string{"active"}, silent: true, calls: []string{"systemctl try-restart"}, never: []string{"deb-"}})
		m.expect(call{script: "before-remove", args: "0", calls: []string{"systemctl --quiet stop", "firewall remove", "systemctl --quiet --no-reload", " disable "}, never: []string{"deb-"}})
	})
	t.Run("the program is gone", func(t *testing.T) {
		m := newTarget(t, true)
		if err := os.Remove(m.root + "/usr/sbin/sesame"); err != nil {
			t.Fatal(err)
		}
		m.expect(call{script: "before-remove", args: "remove", silent: true, calls: []string{"stop", "disable"}})
	})
}

// The image that dpkg makes of a directory has nothing that runs. The units, the firewall and the
// users of the machine that makes it are those of another.
func TestImage(t *testing.T) {
	for _, debian := range []bool{true, false} {
		m := newTarget(t, debian)
		m.chrootless = true
		m.program("getent", `exit 0`) // there is such a user here
		here := []string{"is-active", "stop ", "start ", "firewall", "settle", "daemon-reload", "getent"}
		m.expect(call{script: "after-install", args: "configure", has: []string{"active"}, never: here, prints: []string{"Sesame is installed"}})
		m.expect(call{script: "after-install", args: "configure 1.0", never: here, silent: true})
		if text, _ := os.ReadFile(m.root + "/etc/passwd"); strings.Count(string(text), "sesame:") < 1 {
			t.Errorf("the image has the users\n%s", text)
		}
		m.expect(call{script: "before-remove", args: "remove", silent: true, never: here, calls: []string{" disable "}})
		m.expect(call{script: "after-remove", args: "remove", silent: true, never: here})
		m.filesGone()
		m.expect(call{script: "after-remove", args: "purge", has: []string{"etc/sesame/scripts/ssh.lua"}, never: here, prints: []string{"userdel"}})
		m.expect(call{script: "after-remove", args: "purge", never: here, silent: true})
	}
}

// filesGone has the files of the package deleted, as dpkg does before it calls after-remove.
func (m *target) filesGone() {
	m.Helper()
	if err := os.Remove(m.root + "/usr/sbin/sesame"); err != nil {
		m.Fatal(err)
	}
}

// Files that a purge deletes, and files beside them.
var (
	purged = []string{"etc/sesame/scripts/ssh.lua", "var/lib/sesame/journal", "var/lib/sesame-helper/journal", "var/log/sesame/knockd.log", "run/sesame/lock",
		"etc/systemd/system/sesame.service.d/override.conf", "etc/systemd/system/sesame-guard.service.d/override.conf",
		"etc/systemd/system/sesame-helper.service.d/override.conf", "etc/systemd/system/sesame-helper.socket.d/override.conf"}
	kept = []string{"etc/sesame.d/x", "var/lib/sesames", "var/log/knockd.log", "etc/systemd/system/ssh.service.d/x", "etc/systemd/system/sesame-other.service.d/x"}
)

// there checks that files are there, or that they and their directories are not.
func (m *target) there(names []string, there bool) {
	m.Helper()
	for _, name := range names {
		for path := name; strings.Contains(path, "sesame") && !there || path == name; path = filepath.Dir(path) {
			if _, err := os.Lstat(filepath.Join(m.root, path)); (err == nil) != there {
				m.Errorf("%s: %v", path, err)
			}
		}
	}
}

// A purge deletes what is Sesame's, and nothing beside it.
func TestPurge(t *testing.T) {
	m := newTarget(t, true)
	m.has(purged...)
	m.has(kept...)
	m.filesGone()
	m.expect(call{script: "after-remove", args: "purge", calls: []string{"deb-systemd-helper purge sesame.service sesame-guard.service sesame-helper.socket"}, prints: []string{
		"sesame: deleted /etc/sesame /var/lib/sesame /var/lib/sesame-helper /var/log/sesame /run/sesame " +
			"/etc/systemd/system/sesame.service.d /etc/systemd/system/sesame-guard.service.d " +
			"/etc/systemd/system/sesame-helper.service.d /etc/systemd/system/sesame-helper.socket.d;", "userdel sesame"}})
	m.there(purged, false)
	m.there(kept, true)
	m.expect(call{script: "after-remove", args: "purge", silent: true}) // again, and nothing is left to say
}

// A purge long after the removal finds what was installed from source since. It leaves it alone.
func TestPurgeBesideAnother(t *testing.T) {
	for _, other := range []string{"usr/sbin/sesame", "opt/sesame"} {
		t.Run(other, func(t *testing.T) {
			m := newTarget(t, true)
			m.has(purged...)
			m.filesGone()
			m.has(other)
			m.write("/etc/systemd/system/sesame.service", "[Service]\nType=notify\nExecStart=-/opt/sesame run\n")
			m.expect(call{script: "after-remove", args: "purge", never: []string{"purge"}, prints: []string{
				"another installation is here, with /" + other + ", so these stay: /etc/sesame /var/lib/sesame "}})
			m.there(append(purged, other), true)
		})
	}
	t.Run("what is left of the package is none", func(t *testing.T) {
		m := newTarget(t, true)
		m.has(append(purged, "run/sesame/sesame.sock")...) // of a daemon that was killed
		m.filesGone()
		m.write("/etc/systemd/system/sesame.service", "[Service]\nExecStart=/usr/sbin/sesame run\n") // by systemctl edit --full
		m.expect(call{script: "after-remove", args: "purge", prints: []string{"sesame: deleted /etc/sesame "}})
		m.there(purged, false)
	})
}
