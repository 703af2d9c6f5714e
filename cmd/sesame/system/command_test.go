//go:build linux

package system

import (
	"os"
	"path/filepath"
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

// What the two write.
const (
	noted  = "begin " + client4 + "\n"
	undone = "end " + client4 + "\n"
)

// noteMachine returns a machine with this door, and with others if there are more scripts. Root
// alone can write the lines. Nothing allows it but our units.
func noteMachine(t *testing.T, more string) *machine {
	t.Helper()
	m := newMachine(t, map[string]string{"note.lua": noteDoor + more})
	m.write("/usr/local/bin/note", "#!/bin/sh\necho \"$*\" >>/srv/notes\n")
	if err := os.Chmod(m.path("/usr/local/bin/note"), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

// notes returns these lines.
func (m *machine) notes() string {
	text, _ := os.ReadFile(m.path("/srv/notes"))
	return string(text)
}

// wrote waits until these lines are there.
func (m *machine) wrote(lines string) {
	m.Helper()
	m.eventually("the lines are there:\n"+lines, func() bool { return m.notes() == lines })
}

// TestSystemShutdownRunsUndo shuts a machine down while an undo is owed. It runs before the machine
// is off, and not again at the next boot.
func TestSystemShutdownRunsUndo(t *testing.T) {
	m := noteMachine(t, "")
	m.boot()
	m.opens(free)
	m.knock(sshKnocks...)
	m.wrote(noted)
	m.powerOff()
	if m.notes() != noted+undone {
		t.Fatalf("when the machine was off, this had run:\n%s", m.notes())
	}
	m.boot()
	m.run("sesame", "status")
	if m.notes() != noted+undone {
		t.Errorf("after the next boot, this had run:\n%s", m.notes())
	}

	t.Log("# without power there is no shutdown: the grant goes on, and so does what is owed for it")
	m.opens(free)
	m.knock(sshKnocks...)
	m.wrote(noted + undone + noted)
	m.cutPower()
	m.boot()
	if m.notes() != noted+undone+noted {
		t.Errorf("after the power was cut, this had run:\n%s", m.notes())
	}
	m.run("sesame", "revoke", client4)
	m.wrote(noted + undone + noted + undone)

	t.Log("# the daemon's state is lost with the power: the helper knows what is owed, and runs it")
	m.knock(sshKnocks...)
	m.wrote(noted + undone + noted + undone + noted)
	m.cutPower()
	if err := os.RemoveAll(m.path("/var/lib/sesame")); err != nil {
		t.Fatal(err)
	}
	m.boot()
	m.wrote(noted + undone + noted + undone + noted + undone)
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

// TestSystemUfw runs ufw as a command, with our units alone.
func TestSystemUfw(t *testing.T) {
	m := newMachine(t, map[string]string{"ufw.lua": ufwDoor})
	m.boot()
	m.opens(guarded)
	m.run("ufw", "allow", "80")
	m.run("ufw", "--force", "enable")
	m.opens(free)
	m.shut(guarded)
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.healthy()
	m.run("sesame", "revoke", client4)
	m.eventually("the undo ran", func() bool { return !m.connects(guarded) })
	m.opens(free)
}

// healthy requires that the daemon finds nothing wrong.
func (m *machine) healthy() {
	m.Helper()
	if e := m.try("sesame", "status", "--strict"); e.status != 0 {
		m.Errorf("sesame status --strict: exit status %d\n%s%s", e.status, e.stdout, e.stderr)
	}
}
