//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sesame/daemon/damagetest"
	"sesame/daemon/livetest"
)

// livedDoor keeps something of each kind in the state directory.
const livedDoor = sshDoor + `
local sign = sesame.command { "/bin/true", undo = { "/bin/true", "{source}" } }
sesame.door "guest" {
  sequence = { "tcp/7430", "udp/9140", "tcp/2910" },
  guards   = "tcp/23",
  ttl      = "1h",
  on_open  = function(attempt)
    attempt.store:incr("visits")
    attempt.store:set("last", tostring(attempt.source))
    attempt:exec(sign)
    attempt:allow()
  end,
}
sesame.knockd "../knockd.conf"`

var guestKnocks = []string{"tcp/7430", "udp/9140", "tcp/2910"}

const livedConf = `
[once]
	one_time_sequences = once
	seq_timeout        = 10
	command            = echo in %IP%
`

// stateMemory bounds what a daemon with such a state needs at most, in MiB.
const stateMemory = 150

// TestRealDamagedStates starts the daemon with damaged state directories. It must start and open
// its doors, or end with a message that names the directory.
func TestRealDamagedStates(t *testing.T) {
	w := newWorld(t, map[string]string{"doors.lua": livedDoor})
	w.outside("knockd.conf", livedConf)
	w.outside("once", " 1311,1422:udp\n 2311,2422\n")
	good := w.livedState()
	refused, most := 0, 0
	for seed := range damagetest.Share(t, 300) {
		what := w.damagedState(good, uint64(seed))
		if seed%2 == 1 { // as after a boot
			w.net.Server.Exec("nft", "add table inet sesame; delete table inet sesame")
		}
		p := w.launch()
		w.eventually(fmt.Sprintf("seed %d: %s: the daemon is ready, or ends", seed, what), func() bool {
			return !p.running() || strings.Contains(w.log(), "[INFO]  ready: ")
		})
		if !p.running() {
			refused++
			if p.cmd.ProcessState.ExitCode() != couldNot || !strings.Contains(w.log(), w.state) {
				t.Errorf("seed %d: %s: %v, and no word about the state:\n%s", seed, what, p.cmd.ProcessState, w.log())
			}
			continue
		}
		w.eventually("the daemon answers", func() bool {
			_, err := w.client().Status(w.Context())
			return err == nil
		})
		w.send(livetest.Source4(seed), sshKnocks...)
		w.eventually(fmt.Sprintf("seed %d: %s: the door opens", seed, what), func() bool { return w.status().Counts.Opens == 1 })
		if most = max(most, w.peak()); raceFlags == nil && most > stateMemory {
			t.Errorf("seed %d: %s: %d MiB of memory", seed, what, most)
		}
		w.kill()
	}
	t.Logf("%d starts, %d refused with a message; at most %d MiB", w.starts-1, refused, most)
}

// livedState lets a daemon live for a while, and returns a copy of its state.
func (w *world) livedState() string {
	w.Helper()
	w.start()
	w.knock(sshKnocks...)
	for i := range 5 {
		w.send(livetest.Source4(i), guestKnocks...)
	}
	w.knock("tcp/1311", "udp/1422")
	w.eventually("all is open", func() bool { return w.status().Counts.Opens == 7 })
	w.marked1311()
	w.kill()
	good := w.path("good")
	if err := os.CopyFS(good, os.DirFS(w.state)); err != nil {
		w.Fatal(err)
	}
	return good
}

// marked1311 waits until the sequence that was used is commented out.
func (w *world) marked1311() {
	w.Helper()
	w.eventually("a sequence is used", func() bool { return strings.HasPrefix(w.content("once"), "#1311") })
}

// damagedState makes the state directory a damaged copy of a good one, and says what was done.
func (w *world) damagedState(good string, seed uint64) (what string) {
	w.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	err := errors.Join(os.RemoveAll(w.state), os.CopyFS(w.state, os.DirFS(good)), os.Chmod(w.state, 0o700))
	files, globErr := filepath.Glob(w.state + "/*")
	if err = errors.Join(err, globErr); err != nil {
		w.Fatal(err)
	}
	r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for _, path := range files[:1+r.IntN(2)] {
		harm := harms[r.IntN(len(harms))]
		what += harm.name + " " + filepath.Base(path) + "; "
		if err := harm.do(path, r.Uint64()); err != nil {
			w.Fatal(err)
		}
	}
	return what
}

// A harm damages one file of a state directory, or what stands in its place.
type harm struct {
	name string
	do   func(path string, seed uint64) error
}

// harms has the damage of a disk more often than that of a person.
var harms = []harm{
	{"damages", damageFile}, {"damages", damageFile}, {"damages", damageFile}, {"damages", damageFile}, {"damages", damageFile}, {"damages", damageFile},
	{"empties", func(path string, _ uint64) error { return os.Truncate(path, 0) }},
	{"removes", func(path string, _ uint64) error { return os.RemoveAll(path) }},
	{"fills with zeros", func(path string, _ uint64) error { return os.WriteFile(path, make([]byte, 1<<16), 0o600) }},
	{"makes a huge hole of", func(path string, _ uint64) error { return os.Truncate(path, 1<<32) }},
	{"makes a directory of", func(path string, _ uint64) error { return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700)) }},
	{"makes a FIFO of", func(path string, _ uint64) error {
		return errors.Join(os.RemoveAll(path), syscall.Mkfifo(path, 0o600))
	}},
	{"makes a device of", func(path string, _ uint64) error {
		return errors.Join(os.RemoveAll(path), os.Symlink("/dev/zero", path))
	}},
	{"takes the right to read", func(path string, _ uint64) error { return os.Chmod(path, 0) }},
	{"lets anybody write into the directory of", func(path string, _ uint64) error { return os.Chmod(filepath.Dir(path), 0o777) }},
	{"leaves the beginning of a new", func(path string, seed uint64) error {
		text, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(path+".new", damagetest.File(seed, text), 0o600))
	}},
}

func damageFile(path string, seed uint64) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, damagetest.File(seed, text), 0o600)
}
