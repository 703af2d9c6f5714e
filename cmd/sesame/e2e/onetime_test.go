//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// onceConf is a door with one-time sequences, and a bell that always rings: when it
// does, all knocks before it were received.
const onceConf = `
[once]
	one_time_sequences = once.d/once
	seq_timeout        = 10
	command            = echo in %IP% >> BOOK
[bell]
	sequence = 1999:udp
	command  = echo bell %IP% >> BOOK
`

// newOnce returns a world with these sequences in a directory of their own.
func newOnce(t *testing.T, sequences string) *world {
	t.Helper()
	w := newKnockd(t, onceConf)
	path := w.once()
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(sequences), 0o640), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) once() string { return w.path("once.d/once") }

// unwritable lets nothing be written in the directory of the sequences, not even by
// a root that has no privileges left; or lets it again.
func (w *world) unwritable(yes bool) {
	w.Helper()
	mode := os.FileMode(0o755)
	if yes {
		mode = 0o555
	}
	if err := os.Chmod(filepath.Dir(w.once()), mode); err != nil {
		w.Fatal(err)
	}
}

// marked waits until the file of the sequences is this.
func (w *world) marked(sequences string) {
	w.Helper()
	w.eventually(fmt.Sprintf("the file is %q; it is %q", sequences, w.content("once.d/once")), func() bool { return w.content("once.d/once") == sequences })
}

// rings waits until all knocks that were sent before were received.
func (w *world) rings(source int) {
	w.Helper()
	w.send(livetest.Source4(source), "udp/1999")
	line := "bell_" + livetest.Source4(source).String()
	w.eventually(line, func() bool { return slices.Contains(w.ran(), line) })
}

// TestRealOneTimeInOrder uses three sequences one after another, with knockd's own
// client, and then new ones that a person writes.
func TestRealOneTimeInOrder(t *testing.T) {
	w := newOnce(t, "# for the office\n 1311,1422:udp,1533\n\n 2311,2422,2533\n4311,2422\n")
	before, err := os.Stat(w.once())
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	first, second, third := []string{"1311", "1422:udp", "1533"}, []string{"2311", "2422", "2533"}, []string{"4311", "2422"}
	opened := []string{"in_203.0.113.9"}

	t.Log("# one that is not next does not open")
	w.knockds(server4, second...)
	w.knockds(server4, first...)
	w.hasRun(opened...)
	w.marked("# for the office\n#1311,1422:udp,1533\n\n 2311,2422,2533\n4311,2422\n")

	t.Log("# nor does one that was used")
	w.knockds(server4, first...)
	w.knockds(server4, second...)
	opened = append(opened, opened[0])
	w.hasRun(opened...)
	w.marked("# for the office\n#1311,1422:udp,1533\n\n#2311,2422,2533\n4311,2422\n")
	w.knockds(server4, second...)
	w.knockds(server4, first...)
	w.knockds(server4, third...)
	opened = append(opened, opened[0])
	w.hasRun(opened...)
	used := "# for the office\n#1311,1422:udp,1533\n\n#2311,2422,2533\n#311,2422\n"
	w.marked(used)
	w.logged("no one-time sequence left: write new ones into the file: door=once file=" + w.once())
	for _, knocks := range [][]string{first, second, third} {
		w.knockds(server4, knocks...)
	}
	w.knockds(server4, "1999:udp")
	opened = append(opened, "bell_203.0.113.9")
	w.hasRun(opened...)
	if s := w.status(); s.Counts.Opens != 4 || s.Scripts.Generation != 1 {
		t.Errorf("%d opens, generation %d", s.Counts.Opens, s.Scripts.Generation)
	}

	t.Log("# a person writes two more")
	w.append(w.once(), " 3311,3422\n 2311,2422,2533\n")
	w.logged("scripts applied: generation=2")
	w.knockds(server4, "3311", "3422")
	w.marked(used + "#3311,3422\n 2311,2422,2533\n")
	w.knockds(server4, "3311", "3422")
	w.knockds(server4, second...)
	w.marked(used + "#3311,3422\n#2311,2422,2533\n")
	opened = append(opened, opened[0], opened[0])
	w.hasRun(opened...)
	after, err := os.Stat(w.once())
	if err != nil {
		t.Fatal(err)
	}
	is, was := after.Sys().(*syscall.Stat_t), before.Sys().(*syscall.Stat_t)
	if after.Mode() != before.Mode() || is.Uid != was.Uid || is.Gid != was.Gid {
		t.Errorf("the file was %v of %d:%d, and is %v of %d:%d", before.Mode(), was.Uid, was.Gid, after.Mode(), is.Uid, is.Gid)
	}
	w.nothingWrong()
}

// append writes at the end of a file, as a shell does.
func (w *world) append(path, text string) {
	w.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		w.Fatal(err)
	}
}

// TestRealOneTimeUnmarked uses a sequence where the file cannot be marked, and then
// nothing makes the daemon forget that it was used.
func TestRealOneTimeUnmarked(t *testing.T) {
	const unused = " 1311,1422\n 2311,2422\n"
	w := newOnce(t, unused)
	w.unwritable(true)
	w.start()
	w.send(livetest.Source4(1), "tcp/1311", "tcp/1422")
	w.hasRun("in_198.18.0.1")
	w.logged("used one-time sequence not commented out: that is tried again at the next start")
	contains(t, w.log(), "permission denied: let the daemon write the file and its directory; under systemd, name the directory in ReadWritePaths=")
	contains(t, w.answer("status"), "note:  marking a one-time sequence as used for 198.18.0.1 (door once) failed at ")
	ran := w.ran()
	again := func(source int) {
		t.Helper()
		w.send(livetest.Source4(source), "tcp/1311", "tcp/1422")
		w.rings(source)
		ran = append(ran, "bell_"+livetest.Source4(source).String())
		w.hasRun(ran...)
	}
	again(2)

	t.Log("# not when the files are read anew")
	w.conf(onceConf + "[another]\n\tsequence = 1\n")
	w.logged("scripts applied: generation=2")
	again(3)

	t.Log("# not after a crash, and another one")
	for i := range 2 {
		w.kill()
		w.start()
		again(4 + i)
	}
	if got := w.content("once.d/once"); got != unused {
		t.Errorf("the file is %q", got)
	}

	t.Log("# not when it can be marked")
	w.kill()
	w.unwritable(false)
	w.start()
	w.marked("#1311,1422\n 2311,2422\n")
	again(6)
	w.stop()
	w.start()
	again(7)
	w.send(livetest.Source4(8), "tcp/2311", "tcp/2422")
	w.hasRun(append(ran, "in_198.18.0.8")...)
	w.marked("#1311,1422\n#2311,2422\n")
	w.nothingWrong()
}

// TestRealOneTimeOfAnother has a file that belongs to a user whom the daemon cannot
// leave it to.
func TestRealOneTimeOfAnother(t *testing.T) {
	w := newOnce(t, " 1311,1422\n 2311,2422\n")
	if err := errors.Join(os.Chown(w.once(), 12345, 12345), os.Chmod(w.once(), 0o644)); err != nil {
		t.Skip(err)
	}
	w.outside("sesame.toml", "allow_writable = true\n") // its owner can change it
	w.flags = append(w.flags, "-c", w.path("sesame.toml"))
	w.start()
	w.send(livetest.Source4(1), "tcp/1311", "tcp/1422")
	w.hasRun("in_198.18.0.1")
	w.logged("it would change its owner: give it to the user and group of the daemon")
	w.send(livetest.Source4(2), "tcp/1311", "tcp/1422")
	w.rings(2)
	w.kill()
	if err := os.Chown(w.once(), os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.marked("#1311,1422\n 2311,2422\n")
	w.send(livetest.Source4(3), "tcp/1311", "tcp/1422")
	w.rings(3)
	w.hasRun("in_198.18.0.1", "bell_198.18.0.2", "bell_198.18.0.3")
}

// TestRealOneTimeKilledAtAnyMoment kills daemons at moments that follow the last
// knock of a sequence as closely as can be, and less closely. Every other time the
// file cannot be marked until then. Anyone who saw the knocks sends them again
// afterwards: nobody gets in twice.
func TestRealOneTimeKilledAtAnyMoment(t *testing.T) {
	const kills = 14
	file := ""
	for i := range kills {
		file += fmt.Sprintf(" %d,%d\n", 2000+i, 3000+i)
	}
	w := newOnce(t, file)
	w.start()
	for i := range kills {
		knocks := []string{fmt.Sprintf("tcp/%d", 2000+i), fmt.Sprintf("tcp/%d", 3000+i)}
		w.unwritable(i%2 == 1)
		w.send(livetest.Source4(i), knocks...)
		w.pass(time.Duration(i/2) * 500 * time.Microsecond)
		w.kill()
		w.unwritable(false)
		w.start()
		w.send(livetest.Source4(100+i), knocks...)
		file = strings.Replace(file, " ", "#", 1)
		w.marked(file)
		w.rings(100 + i)
	}
	w.nothingWrong()
	w.stop() // commands that run are waited for
	before := kills
	for i := range kills {
		first := slices.Contains(w.ran(), "in_"+livetest.Source4(i).String())
		second := slices.Contains(w.ran(), "in_"+livetest.Source4(100+i).String())
		if first && second {
			t.Errorf("sequence %d opened twice", i+1)
		}
		if second {
			before--
		}
	}
	t.Logf("%d of %d sequences were used before the kill", before, kills)
}
