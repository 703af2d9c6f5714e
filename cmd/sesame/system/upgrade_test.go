//go:build linux

package system

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/control"
)

// shortDoor is a door whose undo is owed for some time: longer than an upgrade and a return take.
const shortDoor = `local note = sesame.command { "/usr/local/bin/note", "begin {source}", undo = { "/usr/local/bin/note", "end {source}" } }
sesame.door "short" {
  sequence = { "tcp/6301", "udp/2477", "tcp/8850", "tcp/3119" }, within = "30s", ttl = "45s",
  on_open = function(attempt) attempt:exec(note) end,
}
`

var shortKnocks = []string{"tcp/6301", "udp/2477", "tcp/8850", "tcp/3119"}

// slowDoor is a door that somebody is at while the package is upgraded.
const slowDoor = `sesame.door "slow" {
  sequence = { "tcp/4471", "udp/6120", "tcp/1983", "tcp/7756" }, within = "10m", guards = "tcp/24", ttl = "30m",
}
`

var slowKnocks = []string{"tcp/4471", "udp/6120", "tcp/1983", "tcp/7756"}

// ownSettings are what a person wrote in the place of the file of the package.
const ownSettings = "interfaces = [\"eth0\"]\n"

// newGuarded returns a machine that has the older package and four doors, and guards three ports.
// The client has one grant of a port, and one of a command, whose undo is owed. A stranger tries
// the other port.
func newGuarded(t *testing.T) (*machine, packages, *stranger) {
	t.Helper()
	m, two := newCustomer(t)
	m.add(two.older)
	m.write("/usr/local/bin/note", "#!/bin/sh\ndate +%s >>/srv/times\necho \"$*\" >>/srv/notes\n")
	m.run("chmod", "755", "/usr/local/bin/note")
	m.write("/etc/sesame/scripts/doors.lua", sshDoor+otherDoor+shortDoor+slowDoor)
	m.write("/etc/sesame/sesame.toml", ownSettings)
	m.run("systemctl", "enable", "--now", "sesame")
	m.eventually("the port is shut", func() bool { return !m.connects(other) })
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.knock(shortKnocks...)
	m.wrote(noted)
	return m, two, m.stranger(other)
}

// ends returns when each grant ends, by the clock of the wall.
func (m *machine) ends() map[uint64]time.Time {
	m.Helper()
	var grants []control.Grant
	if err := json.Unmarshal([]byte(m.run("sesame", "grants", "--json")), &grants); err != nil {
		m.Fatal(err)
	}
	ends := map[uint64]time.Time{}
	for i := range grants {
		ends[grants[i].ID] = grants[i].End
	}
	return ends
}

// firstEnd returns when the first grant ends.
func firstEnd(ends map[uint64]time.Time) time.Time {
	return slices.MinFunc(slices.Collect(maps.Values(ends)), time.Time.Compare)
}

// withOtherTable returns the package in a version whose table of settings has one more, wherever it
// has the table.
func withOtherTable(t *testing.T, deb string) string {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.deb")
	cmd := exec.Command("sh", "-ec", `dpkg-deb --raw-extract "$1" "$2"
for file in $(grep -rlE '^#?observe = ' --include=sesame.toml "$2"); do echo '#other = 1' >>"$file"; tables=yes; done
[ -n "$tables" ]
dpkg-deb -Znone --build "$2" "$3"`, "sh", deb, filepath.Join(t.TempDir(), "files"), other)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making another package: %v\n%s", err, out)
	}
	return other
}

// TestSystemPackageUpgrade upgrades while a session and a grant live, an undo is owed and somebody
// has knocked half a sequence. Then it goes back to the older version, which meets the state that
// the newer one wrote. All goes on to its own end, and the undo runs once. Nobody else ever gets
// in. Nobody is asked about the settings that a person changed, and no preset changes what is
// enabled.
func TestSystemPackageUpgrade(t *testing.T) {
	m, two, stranger := newGuarded(t)
	session, ends := m.session(guarded), m.ends()
	if len(ends) != 2 {
		t.Fatalf("there are the grants %v: expected two", ends)
	}
	m.knock(slowKnocks[:2]...)
	m.write("/etc/systemd/system-preset/10-all.preset", "disable *\n")
	for _, deb := range []string{withOtherTable(t, two.newer), two.older} {
		before := m.property("sesame.service", "MainPID")
		m.add(deb)
		m.restarted(before)
		m.current("sesame.service")
		m.echoes(session)
		m.unitsAre("is-enabled", "enabled", "enabled", "static", "enabled")
		m.granted()
		m.helped()
		m.current(helper)
		m.healthy()
		for id, end := range m.ends() {
			if drift := end.Sub(ends[id]).Abs(); drift > time.Second {
				t.Errorf("grant %d ended at %v, and ends at %v", id, ends[id], end)
			}
		}
		if notes := m.notes(); notes != noted && time.Now().Before(firstEnd(ends)) {
			t.Errorf("the undo is not owed any more:\n%s", notes)
		}
	}
	m.knock(slowKnocks[2:]...)
	m.eventually("the attempt of before goes on", func() bool { return strings.Contains(m.run("sesame", "grants"), "door slow") })
	if settings := m.run("cat", "/etc/sesame/sesame.toml"); settings != ownSettings {
		t.Errorf("the settings of the person are now:\n%s", settings)
	}
	m.wrote(noted + undone)
	for id, end := range ends {
		if _, lives := m.ends()[id]; !lives {
			m.notBefore(end)
		}
	}

	stranger.keptOut()

	t.Log("# upgraded, and then a reboot: the grant goes on, and the undo does not run again")
	m.add(two.newer)
	m.powerOff()
	m.powerOn()
	stranger = m.stranger(other)
	m.booted()
	m.opens(free)
	m.granted()
	m.healthy()
	stranger.keptOut()
	if m.notes() != noted+undone {
		t.Errorf("after the reboot, this had run:\n%s", m.notes())
	}
}

// notBefore checks that the undo ran at its time. How much later does not count here.
func (m *machine) notBefore(end time.Time) {
	m.Helper()
	lines := strings.Fields(m.run("cat", "/srv/times"))
	var ran int64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &ran); err != nil {
		m.Fatal(err)
	}
	if early := end.Sub(time.Unix(ran+1, 0)); early > 0 {
		m.Errorf("the undo ran %v before its time, %v", early, end)
	}
}

// TestSystemPackageUpgradeWhileItRests upgrades while the daemon does not run. It starts nothing,
// and the guard stays.
func TestSystemPackageUpgradeWhileItRests(t *testing.T) {
	m, two, stranger := newGuarded(t)
	m.run("systemctl", "stop", "sesame")
	m.wrote(noted + undone)
	m.add(two.newer)
	if state := m.property("sesame.service", "ActiveState"); state != "inactive" {
		t.Errorf("after the upgrade the daemon is %s", state)
	}
	m.shut(other)
	m.opens(guarded) // the grant
	m.run("systemctl", "start", "sesame")
	m.granted()
	m.healthy()
	stranger.keptOut()
}

// TestSystemPackageUpgradeFails has settings that the daemon cannot read when it is started again.
// The upgrade says so and fails, and so does each try to finish it. The guard stays, and once the
// file is right it can be finished.
func TestSystemPackageUpgradeFails(t *testing.T) {
	m, two, stranger := newGuarded(t)
	m.write("/etc/sesame/sesame.toml", "interfaces = 7\n")
	m.copy(two.newer, "/root/newer.deb", 0o644)
	e := m.try("dpkg", "--install", "/root/newer.deb")
	if said := e.stdout + e.stderr; e.status == 0 || !strings.Contains(said, "journalctl") {
		t.Errorf("the upgrade ended with %d, and said\n%s", e.status, said)
	}
	m.shut(other)
	m.opens(guarded) // the grant
	e = m.try("dpkg", "--configure", "sesame")
	if said := e.stdout + e.stderr; e.status == 0 || !strings.Contains(said, "journalctl") {
		t.Errorf("when the file was still wrong, dpkg --configure ended with %d, and said\n%s", e.status, said)
	}
	m.write("/etc/sesame/sesame.toml", ownSettings)
	m.dpkg("--configure", "sesame")
	m.eventually("the daemon runs", func() bool { return m.property("sesame.service", "ActiveState") == "active" })
	m.current("sesame.service")
	m.granted()
	m.healthy()
	stranger.keptOut()
}

// TestSystemPackageRefused has a policy that starts and stops nothing, as images are built with. An
// upgrade leaves the old daemon running, and one that failed alone. A removal would leave a daemon
// without its program: it fails.
func TestSystemPackageRefused(t *testing.T) {
	m, two, stranger := newGuarded(t)
	m.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
	m.run("chmod", "755", "/usr/sbin/policy-rc.d")
	before := m.property("sesame.service", "MainPID")
	m.add(two.newer)
	if now := m.property("sesame.service", "MainPID"); now != before {
		t.Errorf("the daemon was process %s, and is %s", before, now)
	}
	if e := m.try("dpkg", "--remove", "sesame"); e.status == 0 || m.property("sesame.service", "MainPID") != before {
		t.Errorf("the removal ended with %d, and the daemon is %s\n%s%s",
			e.status, m.property("sesame.service", "ActiveState"), e.stdout, e.stderr)
	}
	m.granted()
	stranger.keptOut()
	m.write("/etc/systemd/system/sesame.service.d/once.conf", "[Service]\nRestart=no\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "kill", "--signal=KILL", "sesame.service")
	m.eventually("the daemon failed", func() bool { return m.property("sesame.service", "ActiveState") == "failed" })
	if said := m.add(two.older); !strings.Contains(said, "the daemon did not run, and was not started") {
		t.Errorf("going back said\n%s", said)
	}
	m.opens(guarded) // the grant
	stranger.keptOut()
	m.run("rm", "/usr/sbin/policy-rc.d")
	m.dpkg("--purge", "sesame")
	m.opens(other)
}
