//go:build linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// auditDoor is the door of docs/doors.md that runs a program beside its access, without its
// conditions. OPTIONS are more options of the command.
const auditDoor = `local audit = sesame.command { "PROGRAM", "{source}", timeout = "5s", OPTIONS }
sesame.door "desktop" {
  sequence = { "tcp/9342", "tcp/3051", "udp/7718", "tcp/5526" },
  guards   = "tcp/22",
  ttl      = "10m",
  on_open  = function(attempt)
    attempt:allow()
    attempt:exec(audit)
  end,
}`

var auditKnocks = []string{"tcp/9342", "tcp/3051", "udp/7718", "tcp/5526"}

// auditing returns a world with that door.
func auditing(t *testing.T, program, options string) *world {
	return newWorld(t, map[string]string{"desktop.lua": strings.NewReplacer("PROGRAM", program, "OPTIONS", options).Replace(auditDoor)})
}

// codes returns the codes of what is wrong.
func (w *world) codes() (codes []string) {
	w.Helper()
	for _, r := range w.status().Health.Reasons {
		codes = append(codes, r.Code)
	}
	return codes
}

// reason returns one thing that is wrong.
func (w *world) reason(code string) control.Reason {
	w.Helper()
	reasons := w.status().Health.Reasons
	i := slices.IndexFunc(reasons, func(r control.Reason) bool { return r.Code == code })
	if i < 0 {
		w.Fatalf("%s is not among %+v", code, reasons)
	}
	return reasons[i]
}

// program writes a program.
func (w *world) program(name, text string, mode os.FileMode) string {
	w.Helper()
	path := w.path(name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.Fatal(err)
	}
	return path
}

// TestRealMissingCommand has the door of the documentation, whose audit program nobody installed.
func TestRealMissingCommand(t *testing.T) {
	w := auditing(t, "/usr/local/bin/sesame-test-audit", "")
	w.start()
	contains(t, w.log(), "commands of the scripts cannot be run on this machine", "desktop.lua", "/usr/local/bin/sesame-test-audit does not exist")
	w.knock(auditKnocks...)
	w.opens(ssh4)
	w.eventually("the failure is known", func() bool { return len(w.status().Effects.FailingCommands) == 1 })
	contains(t, w.reason("command-missing").String(), "desktop.lua:1: command audit: /usr/local/bin/sesame-test-audit does not exist: install it, or correct the path")
	if codes := w.codes(); slices.Contains(codes, "command-fails") {
		t.Errorf("one fault is told twice: %v", codes)
	}
	if len(w.grants()) != 1 {
		t.Error("the access was taken back")
	}
}

// TestRealCommandNotExecutable makes the program right while the daemon runs.
func TestRealCommandNotExecutable(t *testing.T) {
	w := auditing(t, "PROGRAM", "")
	program := w.program("audit", "#!/bin/sh\nexit 0\n", 0o644)
	w.write("desktop.lua", strings.NewReplacer("PROGRAM", program, "OPTIONS", "").Replace(auditDoor))
	w.start()
	w.knock(auditKnocks...)
	w.opens(ssh4)
	contains(t, w.reason("command-missing").String(), program+" is not executable: run chmod +x "+program)
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	if codes := w.codes(); slices.Contains(codes, "command-missing") {
		t.Errorf("it is executable now: %v", codes)
	}
	w.send(livetest.Source4(7), auditKnocks...)
	w.eventually("a run that succeeds ends the report of the failure", func() bool { return !slices.Contains(w.codes(), "command-fails") })
}

func TestRealFailingCommand(t *testing.T) {
	w := auditing(t, "/bin/false", "")
	w.start()
	w.knock(auditKnocks...)
	w.opens(ssh4)
	w.eventually("the failure is known", func() bool { return slices.Contains(w.codes(), "command-fails") })
	contains(t, w.reason("command-fails").String(), "door desktop: /bin/false {source} failed once", "exit status 1")
	if len(w.grants()) != 1 {
		t.Error("the access was taken back")
	}
}

func TestRealFailingCommandOfKnockd(t *testing.T) {
	w := auditing(t, "/bin/false", `status = "any"`)
	w.start()
	w.knock(auditKnocks...)
	w.opens(ssh4)
	w.eventually("the failure is known", func() bool { return len(w.status().Health.Notes) > 0 })
	contains(t, w.answer("status"), "health: ok\n", "note:  1 command counted as done at the last run, but failed:\n", "door desktop: /bin/false {source} failed once", "exit status 1")
}

// TestRealFailingStartCommand has a door of a knockd.conf whose start_command always fails. Its
// grant stands, as knockd runs the stop_command all the same, and it is told.
func TestRealFailingStartCommand(t *testing.T) {
	w := newWorld(t, nil)
	conf := w.path("knockd.conf")
	if err := os.WriteFile(conf, []byte("[web]\n sequence = 7000,8000\n start_command = exit 7\n cmd_timeout = 600\n stop_command = :\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("knockd.lua", fmt.Sprintf("sesame.knockd %q", conf))
	w.start()
	w.knock("tcp/7000", "tcp/8000")
	w.eventually("the failure is known", func() bool { return len(w.grants()) == 1 && w.grants()[0].Failure != nil })
	contains(t, w.answer("status"), "health: ok\n", "door web: exit 7 failed once", "exit status 7")
	if grants := w.grants(); *grants[0].Failure != (control.CommandFailure{Status: 7, Error: "running exit 7: exit status 7"}) {
		t.Errorf("grants %+v", grants)
	}
	contains(t, w.answer("grants"), "command failed: exit status 7")
	contains(t, w.answer("metrics"), `sesame_commands_total{kind="command",result="failed"} 1`, `sesame_health_reason{code="command-status",severity="note"} 1`)
	t.Log("# the command is another one: that its program is a shell, too, says nothing")
	if err := os.WriteFile(conf, []byte("[web]\n sequence = 7000,8000\n start_command = exit 0\n cmd_timeout = 600\n stop_command = :\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if e := w.reload(); e.status != done {
		t.Fatalf("%+v", e)
	}
	w.nothingWrong()
	if text := w.answer("status"); strings.Contains(text, "door web: exit 7 failed") {
		t.Errorf("it still tells of the command that failed:\n%s", text)
	}
}

func TestRealRequiredCommandFails(t *testing.T) {
	w := auditing(t, "/bin/false", "required = true")
	w.start()
	w.knock(auditKnocks...)
	w.eventually("it was taken back", func() bool { return strings.Contains(w.transcript(), `"reason":"failed"`) })
	w.shut(ssh4)
	if len(w.grants()) != 0 {
		t.Error("the access stands")
	}
}

// TestRealCommandHangsBeforeAccess has a command before the access. It delays the access only where
// it is required.
func TestRealCommandHangsBeforeAccess(t *testing.T) {
	w := newWorld(t, map[string]string{"desktop.lua": `local slow = sesame.command { "/bin/sleep", "600", timeout = "10m" }
sesame.door "desktop" { sequence = { "tcp/9342", "tcp/3051", "udp/7718", "tcp/5526" }, guards = "tcp/22", ttl = "10m",
  on_open = function(attempt) attempt:exec(slow) attempt:allow() end }`})
	w.start()
	w.knock(auditKnocks...)
	w.opens(ssh4)
	w.kill()
}

// TestRealCommandsPileUp sends 200 datagrams to a door of one knock whose command takes a second.
// Access of others is given meanwhile, and a stop lists what was left.
func TestRealCommandsPileUp(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	conf := w.path("knockd.conf")
	if err := os.WriteFile(conf, []byte("[bedrock]\n sequence = 19132:udp\n command = /bin/sleep 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("knockd.lua", fmt.Sprintf("sesame.knockd %q", conf))
	w.start()
	for range 200 {
		w.send(livetest.Source4(1), "udp/19132")
	}
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.eventually("the pile is known", func() bool { return slices.Contains(w.codes(), "commands-waiting") })
	contains(t, w.reason("commands-waiting").String(), "commands wait for those before", "of door bedrock", "limit")
	w.logged("commands come faster than they run")
	w.stop()
	contains(t, w.log(), "commands are killed or not started", `which="bedrock: `)
}

// TestRealHundredFailingCommands has a hundred doors with failing commands. Log and status stay
// short.
func TestRealHundredFailingCommands(t *testing.T) {
	var script strings.Builder
	for i := range 100 {
		fmt.Fprintf(&script, `local c%[1]d = sesame.command { "/nowhere/c%[1]d" }
sesame.listen "door%[1]d" { on = "udp/%[2]d", limit = "100/s", on_knock = function(k) k:exec(c%[1]d) end }
`, i, 20000+i)
	}
	w := newWorld(t, map[string]string{"hundred.lua": script.String()})
	w.start()
	for round := range 5 {
		for i := range 100 {
			w.send(livetest.Source4(round), fmt.Sprintf("udp/%d", 20000+i))
		}
	}
	w.eventually("all have failed", func() bool { return w.status().Effects.FailingCount == 100 })
	s := w.status()
	if len(s.Scripts.Unrunnable) != 20 || s.Scripts.UnrunnableCount != 100 || len(s.Effects.FailingCommands) != 50 {
		t.Errorf("the status lists %d of %d, and %d that failed", len(s.Scripts.Unrunnable), s.Scripts.UnrunnableCount, len(s.Effects.FailingCommands))
	}
	if text := w.answer("status"); strings.Count(text, "\n") > 45 {
		t.Errorf("the status has %d lines:\n%s", strings.Count(text, "\n"), text)
	}
	if n := strings.Count(w.log(), "command failed"); n == 0 || n > 60 {
		t.Errorf("%d lines about 500 failures", n)
	}
}
