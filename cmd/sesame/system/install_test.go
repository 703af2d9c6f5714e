//go:build linux

package system

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// knocksOf finds the sequence of the door that sesame init wrote.
var (
	firstSequence = regexp.MustCompile(`sequence = \{ ([^}]+) \}`)
	quotedKnock   = regexp.MustCompile(`"([a-z]+/\d+)"`)
)

// firstDoor makes the first door as the package says, and returns its knocks.
func (m *machine) firstDoor() (knocks []string) {
	m.Helper()
	m.run("sesame", "init", "/etc/sesame/scripts")
	m.run("sesame", "test", "-s", "/etc/sesame/scripts")
	found := firstSequence.FindStringSubmatch(m.run("cat", "/etc/sesame/scripts/ssh.lua"))
	if found == nil {
		m.Fatal("the first door has no sequence")
	}
	for _, knock := range quotedKnock.FindAllStringSubmatch(found[1], -1) {
		knocks = append(knocks, knock[1])
	}
	return knocks
}

// TestSystemPackage has a whole life of the package on one machine: it is installed, guards a port,
// is there after a reboot, is removed, comes back, and is purged.
func TestSystemPackage(t *testing.T) {
	m, two := newCustomer(t)
	m.write("/etc/systemd/system-preset/10-all.preset", "enable *\n") // which nobody applies here
	files, tables := m.files(), m.tables()

	t.Log("# installing changes nothing that the machine does, and says the two ways on")
	said := m.add(two.newer)
	for _, way := range []string{"sesame import knockd --check /etc/knockd.conf", "sesame init /etc/sesame/scripts"} {
		if !strings.Contains(said, way) {
			t.Errorf("the installation does not say %q:\n%s", way, said)
		}
	}
	m.opens(guarded)
	m.unitsAre("is-enabled", "disabled", "disabled", "static", "disabled")
	m.unitsAre("is-active", "inactive")
	if now := m.tables(); now != tables {
		t.Errorf("the firewall had\n%sand now has\n%s", tables, now)
	}
	m.run("dpkg", "--verify", "sesame")

	t.Log("# the first door")
	knocks := m.firstDoor()
	m.run("systemctl", "enable", "--now", "sesame")
	m.eventually("the port is shut", func() bool { return !m.connects(guarded) })
	m.opens(free)
	m.knock(knocks...)
	m.opens(guarded)
	m.healthy()
	m.unitsAre("is-enabled", "enabled", "enabled", "static", "enabled")

	t.Log("# a reboot: it is shut before the network is up")
	m.run("sesame", "revoke", client4)
	m.powerOff()
	m.powerOn()
	stranger := m.stranger(guarded)
	m.booted()
	m.opens(free)
	m.eventually("the stranger was refused", func() bool { return !m.connects(guarded) })
	stranger.keptOut()
	m.inOrder("sesame-guard.service", "network-pre.target", "systemd-networkd.service")

	m.removed(tables)
	m.run("dpkg", "--status", "sesame") // its configuration is there still

	t.Log("# it comes back: nothing is guarded until a person says so")
	m.add(two.newer)
	m.unitsAre("is-active", "inactive")
	m.opens(guarded)
	m.run("systemctl", "enable", "--now", "sesame")
	m.eventually("the port is shut again", func() bool { return !m.connects(guarded) })

	t.Log("# purged while it runs: nothing is left")
	if said := m.dpkg("--purge", "sesame"); !strings.Contains(said, "userdel sesame") {
		t.Errorf("the purge does not say that the user stays:\n%s", said)
	}
	m.run("userdel", "sesame")
	m.gone(files, tables)
}

// removed removes the package, and checks that the machine is open, is told so, and keeps what the
// person wrote.
func (m *machine) removed(tables string) {
	m.Helper()
	m.Log("# removed: the guard goes, and the words say which port is open")
	if said := m.dpkg("--remove", "sesame"); !strings.Contains(said, "tcp/22") {
		m.Errorf("the removal does not say that tcp/22 is open:\n%s", said)
	}
	m.opens(guarded)
	m.unitsAre("is-active", "inactive")
	if now := m.tables(); now != tables {
		m.Errorf("the firewall had\n%sand now has\n%s", tables, now)
	}
	m.run("test", "-e", "/etc/sesame/scripts/ssh.lua")
}

// gone checks that a purge left nothing.
func (m *machine) gone(files []string, tables string) {
	m.Helper()
	if left := changes(files, m.files()); len(left) > 0 {
		m.Errorf("after the purge these differ:\n%s", strings.Join(left, "\n"))
	}
	for _, path := range []string{"/run/sesame", "/run/sesame-helper.sock"} {
		if m.try("test", "-e", path).status == 0 {
			m.Errorf("after the purge there is %s", path)
		}
	}
	if now := m.tables(); now != tables {
		m.Errorf("the firewall had\n%sand now has\n%s", tables, now)
	}
	if known := m.try("systemctl", "list-unit-files", "--no-legend", "sesame*").stdout; known != "" {
		m.Errorf("the service manager knows units:\n%s", known)
	}
	m.opens(guarded)
}

// TestSystemPackageInAnImage installs and purges the package where nothing runs, as an image is
// built. It must not touch the firewall of the machine that builds the image.
func TestSystemPackageInAnImage(t *testing.T) {
	m := newDebian(t)
	two, err := packaged()
	if err != nil {
		t.Fatal(err)
	}
	m.copy(two.newer, "/root/sesame.deb", 0o644)
	m.client.Exec("nft", "add", "table", "inet", "sesame")
	m.inImage("dpkg", "--install", "/root/sesame.deb")
	m.inImage("sh", "-ec", "sesame init /etc/sesame/scripts; systemctl enable sesame; dpkg --remove sesame; dpkg --purge sesame")
	if tables := m.client.Exec("nft", "list", "tables"); !strings.Contains(tables, "inet sesame") {
		t.Errorf("the machine that builds has the tables\n%s", tables)
	}
	for _, path := range []string{"/etc/sesame", "/var/lib/sesame", "/etc/systemd/system/multi-user.target.wants/sesame.service"} {
		if _, err := os.Lstat(m.path(path)); err == nil {
			t.Errorf("after the purge there is %s", path)
		}
	}
}

// inImage runs a program in the files of the machine, which is off, and in the network of another.
func (m *machine) inImage(argv ...string) {
	m.Helper()
	var out strings.Builder
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--fork", "--ipc", "chroot", m.root}, argv...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	err := m.client.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	m.Logf("%s:\n%s", strings.Join(argv, " "), out.String())
	if err != nil {
		m.Fatal(err)
	}
}
