//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/livetest"
)

// touchConf is a door with both commands of knockd's, which sign a book, and whose
// stop command is pending for so many seconds.
const touchConf = `
[touch]
	sequence      = 4519,8204:udp,3127
	seq_timeout   = 10
	tcpflags      = syn
	start_command = echo in %%IP%% >> BOOK
	cmd_timeout   = %d
	stop_command  = echo out %%IP%% >> BOOK
`

// newKnockd returns a world of one who comes from knockd: a script reads a
// knockd.conf, in which BOOK is a file that commands write to.
func newKnockd(t *testing.T, conf string) *world {
	t.Helper()
	w := newWorld(t, map[string]string{"knockd.lua": `sesame.knockd "../knockd.conf"`})
	w.conf(conf)
	return w
}

// conf saves the knockd.conf, as most editors do.
func (w *world) conf(text string) {
	w.Helper()
	w.outside("knockd.conf", strings.ReplaceAll(text, "BOOK", w.path("book")))
}

// imported puts the script that is made of the knockd.conf in the place of the one
// that reads it.
func (w *world) imported() {
	w.Helper()
	w.answerOffline("import", "knockd", w.path("knockd.conf"), "-o", w.path("doors"))
	w.write("knockd.lua", w.content("doors/knockd.lua"))
}

// knockds knocks with knockd's own client.
func (w *world) knockds(address string, knocks ...string) {
	w.Helper()
	const program = "/usr/bin/knock"
	if _, err := exec.LookPath(program); err != nil {
		w.Skip(err)
	}
	if e := w.runOn(w.net.Client, append([]string{program, "-d", "5", address}, knocks...)...); e.status != 0 {
		w.Fatalf("%+v", e)
	}
}

// touch knocks at the door of touchConf with knockd's own client.
func (w *world) touch() {
	w.Helper()
	w.knockds(server4, "4519", "8204:udp", "3127")
}

// ran returns what commands wrote, of each line its words with "_" between them.
func (w *world) ran() []string {
	return strings.Fields(strings.ReplaceAll(w.content("book"), " ", "_"))
}

// hasRun waits until commands wrote as many lines, and checks that they are these.
func (w *world) hasRun(lines ...string) {
	w.Helper()
	w.eventually(fmt.Sprintf("the book has %d lines, the last of them %q", len(lines), lines[len(lines)-1]), func() bool { return len(w.ran()) >= len(lines) })
	if diff := cmp.Diff(lines, w.ran()); diff != "" {
		w.Errorf("the book (-want +got):\n%s", diff)
	}
}

// settled waits until nothing is pending.
func (w *world) settled() {
	w.Helper()
	w.eventually("nothing is pending", func() bool {
		s := w.status()
		return s.Live.Grants == 0 && s.Effects.Queued == 0
	})
}

// notBefore fails the test when it is earlier than the end of a grant. The kernel counts in ticks,
// so 100 ms are allowed.
func (w *world) notBefore(end time.Time) {
	w.Helper()
	if now := time.Now(); now.Before(end.Add(-100 * time.Millisecond)) {
		w.Errorf("it is %v, before the end of the grant at %v", now, end)
	}
}

// lastEnd returns when the last of the grants ends.
func (w *world) lastEnd() (end time.Time) {
	w.Helper()
	for _, g := range w.grants() {
		if g.End.After(end) {
			end = g.End
		}
	}
	if end.IsZero() {
		w.Fatal("no grants: expected some")
	}
	return end
}

// end returns when the only grant ends.
func (w *world) end() time.Time {
	w.Helper()
	all := w.grants()
	if len(all) != 1 {
		w.Fatalf("%d grants: expected one", len(all))
	}
	return all[0].End
}

// TestRealPendingAfterAKill kills the daemon between the start command and the stop
// command of a knockd.conf. With knockd the port stays open.
func TestRealPendingAfterAKill(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*world)
	}{
		{"a script reads the knockd.conf", func(*world) {}},
		{"a script is made of the knockd.conf", (*world).imported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newKnockd(t, fmt.Sprintf(touchConf, 2))
			tt.prepare(w)
			w.start()
			w.touch()
			w.hasRun("in_203.0.113.9")
			end := w.end()
			w.kill()
			w.pass(time.Until(end))
			w.hasRun("in_203.0.113.9")

			t.Log("# the next start runs the stop command")
			w.start()
			w.hasRun("in_203.0.113.9", "out_203.0.113.9")
			w.logged("undo commands were pending, and run now: commands=1 doors=touch\n")
			w.settled()

			t.Log("# and no other start does")
			w.kill()
			w.start()
			w.settled()
			w.stop()
			w.start()
			w.settled()
			w.hasRun("in_203.0.113.9", "out_203.0.113.9")
			if log := w.log(); strings.Contains(log, "were pending") {
				t.Errorf("the log:\n%s", log)
			}
			w.nothingWrong()
		})
	}
}

// TestRealPendingGoesOn starts the daemon again before it is time for the stop command: after a
// kill, and after systemd has told it that another one follows.
func TestRealPendingGoesOn(t *testing.T) {
	w := newKnockd(t, fmt.Sprintf(touchConf, 15)) // seconds, in which a busy machine starts it twice
	w.start()
	w.touch()
	w.hasRun("in_203.0.113.9")
	before := w.end()
	for _, leave := range []func(){w.kill, func() { w.makeWay() }} {
		leave()
		w.start()
		if after := w.end(); after.Sub(before).Abs() > 100*time.Millisecond {
			t.Errorf("the stop command was due at %v, and now at %v", before, after)
		}
	}
	w.hasRun("in_203.0.113.9")
	w.eventually("the stop command runs", func() bool { return len(w.ran()) > 1 })
	w.notBefore(before)
	w.settled()
	w.hasRun("in_203.0.113.9", "out_203.0.113.9")
	w.nothingWrong()
}

// TestRealPendingKilledAtAnyMoment kills daemons at moments that follow the last knock
// of somebody as closely as can be, and less closely.
func TestRealPendingKilledAtAnyMoment(t *testing.T) {
	w := newKnockd(t, fmt.Sprintf(touchConf, 600))
	const kills = 10
	w.start()
	for i := range kills {
		w.send(livetest.Source4(i), webKnocks...)
		w.pass(time.Duration(i) * 300 * time.Microsecond)
		w.kill()
		w.start()
	}
	w.send(livetest.Source4(kills), webKnocks...)
	w.eventually("a start command runs", func() bool { return slices.Contains(w.ran(), "in_"+livetest.Source4(kills).String()) })
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	started := 0
	for i := range kills + 1 {
		var lines []string
		for _, line := range w.ran() {
			if word, source, _ := strings.Cut(line, "_"); source == livetest.Source4(i).String() {
				lines = append(lines, word)
			}
		}
		// Whether a start command ran that the journal knows of, nobody does.
		switch text := strings.Join(lines, ", "); text {
		case "in, out":
			started++
		case "", "out":
		default:
			t.Errorf("killed %d: %s", i, text)
		}
	}
	t.Logf("of %d killed %d had run the start command", kills, started-1)
}

// TestRealPendingAtTheEnd ends the daemon between the two commands.
func TestRealPendingAtTheEnd(t *testing.T) {
	w := newKnockd(t, fmt.Sprintf(touchConf, 600)+"[once]\n\tsequence = 5001\n\tcommand = echo once >> BOOK\n")
	w.start()
	w.touch()
	w.hasRun("in_203.0.113.9")
	w.knockds(server4, "5001")
	w.hasRun("in_203.0.113.9", "once")
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	want := []string{"in_203.0.113.9", "once", "out_203.0.113.9"}
	if diff := cmp.Diff(want, w.ran()); diff != "" {
		t.Errorf("the book when the daemon is gone (-want +got):\n%s", diff)
	}
	w.start()
	w.settled()
	w.hasRun(want...)
}

// TestRealStartCommandFails tells of a start command that fails, and runs the stop
// command all the same, as knockd does.
func TestRealStartCommandFails(t *testing.T) {
	w := newKnockd(t, strings.Replace(fmt.Sprintf(touchConf, 1), "BOOK\n", "BOOK; echo no such chain >&2; exit 1\n", 1))
	w.start()
	w.touch()
	w.logged("no such chain")
	contains(t, w.log(), "command failed: door=touch source=203.0.113.9 command=\"echo in 203.0.113.9 ", `output="no such chain"`)
	w.hasRun("in_203.0.113.9", "out_203.0.113.9")
	w.settled()
	contains(t, w.transcript(), `"effect":"exec","grant":1,"detail":"running echo in 203.0.113.9 `, `exit status 1"`, `"effect":"undo"`)
	contains(t, w.answer("status"), "note:  a command for 203.0.113.9 (door touch) failed at ", "exit status 1")
	w.nothingWrong()
}

// hangDoors are a door whose command never ends, and others.
const hangDoors = `
sesame.policy "knockd"
local hang = sesame.command {
  "/bin/sh", "-c", "echo hang {source} $$ >> BOOK; exec sleep 60",
  undo = { "/bin/sh", "-c", "echo out {source} >> BOOK" },
  ttl = "10m", timeout = "10s", status = "any",
}
local quick = sesame.command { "/bin/sh", "-c", "echo quick {source} >> BOOK" }
sesame.door "hang"  { sequence = { "tcp/7101", "tcp/7102" }, within = "10s", on_open = function(attempt) attempt:exec(hang) end }
sesame.door "quick" { sequence = { "tcp/7201", "tcp/7202" }, within = "10s", on_open = function(attempt) attempt:exec(quick) end }
sesame.door "ssh"   { sequence = { "tcp/7301", "tcp/7302" }, within = "10s", guards = "tcp/22", ttl = "10m" }
`

// TestRealStartCommandHangs lets eight start commands hang. Nobody else waits for
// them, and each is ended when its time is over.
func TestRealStartCommandHangs(t *testing.T) {
	w := newWorld(t, nil)
	w.write("hang.lua", strings.ReplaceAll(hangDoors, "BOOK", w.path("book")))
	w.start()
	const count = 8
	w.shut(ssh4)
	for i := range count {
		w.send(livetest.Source4(i), "tcp/7101", "tcp/7102")
	}
	w.eventually("all hang", func() bool { return len(w.ran()) == count })

	w.send(livetest.Source4(100), "tcp/7201", "tcp/7202")
	w.eventually("another command runs", func() bool { return slices.Contains(w.ran(), "quick_"+livetest.Source4(100).String()) })
	w.knock("tcp/7301", "tcp/7302")
	w.opens(ssh4)
	if n := w.hanging(); n != count {
		t.Errorf("only %d of %d commands still hang: the others may have waited", n, count)
	}

	w.eventually("all are reported", func() bool { return strings.Count(w.transcript(), `"event":"failed"`) == count })
	contains(t, w.log(), "command failed: door=hang", "it still ran after 10s")
	if n := w.hanging(); n != 0 {
		t.Errorf("%d commands still hang", n)
	}
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	for i := range count {
		if line := "out_" + livetest.Source4(i).String(); strings.Count(w.content("book"), strings.ReplaceAll(line, "_", " ")+"\n") != 1 {
			t.Errorf("expected %s once in\n%s", line, w.content("book"))
		}
	}
}

// hanging returns how many of the commands that hang are running.
func (w *world) hanging() (n int) {
	for _, line := range w.ran() {
		if parts := strings.Split(line, "_"); parts[0] == "hang" {
			argv, _ := os.ReadFile("/proc/" + parts[2] + "/cmdline") // it may be gone
			if strings.HasPrefix(string(argv), "sleep\x00") {
				n++
			}
		}
	}
	return n
}

// TestRealRepeatedWhilePending knocks again before the stop command has run. With
// knockd there are then two rules in the firewall.
func TestRealRepeatedWhilePending(t *testing.T) {
	w := newKnockd(t, fmt.Sprintf(touchConf, 2))
	w.start()
	w.touch()
	w.hasRun("in_203.0.113.9")
	w.pass(500 * time.Millisecond)
	first := w.end()
	w.touch()
	w.eventually("it opens again", func() bool { return w.status().Counts.Opens == 2 })
	second := w.end() // it is one grant
	if !second.After(first) {
		t.Errorf("the grant ended at %v, and after the second opening at %v", first, second)
	}
	w.eventually("a command runs", func() bool { return len(w.ran()) > 1 })
	w.notBefore(second)
	w.hasRun("in_203.0.113.9", "out_203.0.113.9")
	w.settled()

	t.Log("# afterwards all begins anew")
	w.touch()
	w.hasRun("in_203.0.113.9", "out_203.0.113.9", "in_203.0.113.9")
	w.stop()
	w.hasRun("in_203.0.113.9", "out_203.0.113.9", "in_203.0.113.9", "out_203.0.113.9")
}

// TestRealCommandsOfIPv6 has the commands for those who knock over IPv6.
func TestRealCommandsOfIPv6(t *testing.T) {
	w := newKnockd(t, `
[own]
	sequence        = 5101,5102:udp
	start_command   = echo four in %IP% >> BOOK
	start_command_6 = echo six in %IP% >> BOOK
	cmd_timeout     = 600
	stop_command    = echo four out %IP% >> BOOK
	stop_command_6  = echo six out %IP% >> BOOK
[same]
	sequence  = 5201,5202
	command   = echo same %IP% >> BOOK
[none]
	sequence  = 5301,5302
	command   = echo none %IP% >> BOOK
	command_6 =
`)
	w.start()
	four, six := "203.0.113.9", w.net.Client.IPv6.Addr().String()
	w.knockds(server6, "5101", "5102:udp")
	w.hasRun("six_in_" + six)
	w.knockds(server4, "5101", "5102:udp")
	w.hasRun("six_in_"+six, "four_in_"+four)

	t.Log("# without one of its own it is that of IPv4, and an empty one is none")
	w.knockds(server6, "5301", "5302")
	w.knockds(server6, "5201", "5202")
	w.hasRun("six_in_"+six, "four_in_"+four, "same_"+six)
	w.knockds(server4, "5301", "5302")
	w.hasRun("six_in_"+six, "four_in_"+four, "same_"+six, "none_"+four)
	if s := w.status(); s.Counts.Opens != 5 {
		t.Errorf("%d opens: expected 5", s.Counts.Opens)
	}

	t.Log("# each is stopped by its own, also after a crash")
	w.kill()
	w.start()
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	stops := w.ran()[4:]
	slices.Sort(stops)
	if diff := cmp.Diff([]string{"four_out_" + four, "six_out_" + six}, stops); diff != "" {
		t.Errorf("the stop commands (-want +got):\n%s", diff)
	}
}
