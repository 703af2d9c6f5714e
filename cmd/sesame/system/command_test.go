//go:build linux

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// otherProgram returns a file that is our program in another version: it has a byte more.
func otherProgram(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sesame")
	if err := os.WriteFile(path, append(text, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// noteDoor is a door whose command and undo leave a line each.
const noteDoor = `local note = sesame.command { "/usr/local/bin/note", "begin {source}", undo = { "/usr/local/bin/note", "end {source}" } }
sesame.door "note" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "30s", ttl = "30m",
  on_open = function(attempt) attempt:exec(note) end,
}
`

// notes returns these lines.
func (m *machine) notes() string {
	text, _ := os.ReadFile(m.path("/srv/notes"))
	return string(text)
}

// TestSystemShutdownRunsUndo shuts a machine down while an undo is owed. It runs before the machine
// is off, and not again at the next boot.
func TestSystemShutdownRunsUndo(t *testing.T) {
	m := newMachine(t, map[string]string{"note.lua": noteDoor})
	m.write("/usr/local/bin/note", "#!/bin/sh\necho \"$*\" >>/srv/notes\n")
	if err := os.Chmod(m.path("/usr/local/bin/note"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write("/etc/systemd/system/sesame.service.d/srv.conf", "[Service]\nUser=root\nReadWritePaths=/srv\n")
	m.boot()
	m.opens(free)
	m.knock(sshKnocks...)
	m.eventually("the command ran", func() bool { return m.notes() == "begin "+client4+"\n" })
	m.powerOff()
	const want = "begin " + client4 + "\nend " + client4 + "\n"
	if m.notes() != want {
		t.Fatalf("when the machine was off, this had run:\n%s", m.notes())
	}
	m.boot()
	m.run("sesame", "status")
	if m.notes() != want {
		t.Errorf("after the next boot, this had run:\n%s", m.notes())
	}

	t.Log("# without power there is no shutdown: the grant goes on, and so does what is owed for it")
	m.opens(free)
	m.knock(sshKnocks...)
	m.eventually("the command ran again", func() bool { return m.notes() == want+"begin "+client4+"\n" })
	m.cutPower()
	m.boot()
	if m.notes() != want+"begin "+client4+"\n" {
		t.Errorf("after the power was cut, this had run:\n%s", m.notes())
	}
	m.run("sesame", "revoke", client4)
	m.eventually("the undo ran", func() bool { return m.notes() == want+want })
}

// ufwDoor opens a port with ufw, as a knockd.conf does.
const ufwDoor = `local open = sesame.command {
  "/usr/sbin/ufw", "allow", "from", "{source}", "to", "any", "port", "22",
  undo = { "/usr/sbin/ufw", "delete", "allow", "from", "{source}", "to", "any", "port", "22" },
}
sesame.door "ufw" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, within = "30s", ttl = "30m",
  on_open = function(attempt) attempt:exec(open) end,
}
`

// TestSystemUfw runs ufw as a command, with the drop-in of docs/from-knockd.md and without.
func TestSystemUfw(t *testing.T) {
	m := newMachine(t, map[string]string{"ufw.lua": ufwDoor})
	m.boot()
	m.opens(guarded)
	m.run("ufw", "allow", "80")
	m.run("ufw", "--force", "enable")
	m.opens(free)
	m.shut(guarded)
	m.knock(sshKnocks...)
	m.eventually("the command failed", func() bool {
		return strings.Contains(m.try("sesame", "status", "--strict").stdout, "command-fails")
	})
	m.shut(guarded)

	m.write("/etc/systemd/system/sesame.service.d/ufw.conf", "[Service]\nUser=root\nReadWritePaths=/etc/ufw\n")
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "sesame")
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.run("sesame", "revoke", client4)
	m.eventually("the undo ran", func() bool { return !m.connects(guarded) })
	m.opens(free)
}
