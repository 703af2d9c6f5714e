//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// mountDoor is a plain door, and one whose command has an undo and must run.
const mountDoor = sshDoor + `
local sign = sesame.command { "/bin/true", undo = { "/bin/true" }, required = true }
sesame.door "mount" {
  sequence = { "tcp/7430", "udp/9140", "tcp/2910" },
  guards   = "tcp/22",
  ttl      = "2s",
  on_open  = function(attempt)
    attempt:exec(sign)
    attempt:allow()
  end,
}`

var mountKnocks = []string{"tcp/7430", "udp/9140", "tcp/2910"}

// mountState makes the state directory a file system in memory.
func (w *world) mountState(options string) {
	w.Helper()
	if err := os.MkdirAll(w.state, 0o700); err != nil {
		w.Fatal(err)
	}
	if err := unix.Mount("tmpfs", w.state, "tmpfs", 0, options); err != nil {
		w.Fatalf("mounting a small disk: %v", err)
	}
	dir := w.state
	w.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			w.Error(err)
		}
	})
}

// readOnly remounts that file system.
func (w *world) readOnly(yes bool) {
	w.Helper()
	flags := uintptr(unix.MS_REMOUNT)
	if yes {
		flags |= unix.MS_RDONLY
	}
	w.eventually("it is mounted anew", func() bool { // the kernel closes the files of a killed process a little later
		return unix.Mount("tmpfs", w.state, "tmpfs", flags, "mode=0700") == nil
	})
}

// A freezer is an ext4 file system at the state directory that can be made to hang, as a disk
// that does not answer.
type freezer struct {
	*world
	frozen bool
}

// The requests of ioctl_fsfreeze, linux/fs.h.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

func newFreezer(w *world) *freezer {
	w.Helper()
	image := w.path("image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 16<<20), os.MkdirAll(w.state, 0o700)); err != nil {
		w.Fatal(err)
	}
	for _, argv := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, w.state}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			w.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	f := &freezer{world: w}
	w.beforeKill = f.thaw // a process that waits for a disk ends when the disk answers
	w.Cleanup(func() {
		f.thaw()
		if err := unix.Unmount(w.state, unix.MNT_DETACH); err != nil {
			w.Error(err)
		}
	})
	if err := os.Chmod(w.state, 0o700); err != nil {
		w.Fatal(err)
	}
	return f
}

func (f *freezer) ioctl(request uintptr) {
	f.Helper()
	dir, err := os.Open(f.state)
	if err != nil {
		f.Fatal(err)
	}
	defer dir.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), request, 0); errno != 0 {
		f.Fatalf("fsfreeze: %v", errno)
	}
}

func (f *freezer) freeze() {
	f.Helper()
	f.ioctl(fiFreeze)
	f.frozen = true
}

func (f *freezer) thaw() {
	if f.frozen {
		f.ioctl(fiThaw)
		f.frozen = false
	}
}

// hasReason reports whether the status names a reason.
func (w *world) hasReason(code string) bool {
	return slices.ContainsFunc(w.status().Health.Reasons, func(r control.Reason) bool { return r.Code == code })
}

// journalRefuses checks that ports open, and that what must survive is refused.
func (w *world) journalRefuses() {
	w.Helper()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.shuts(ssh4) // in its time
	w.eventually("the status says so", func() bool { return w.hasReason("journal-unwritable") })
	w.knock(mountKnocks...)
	w.eventually("the command is refused", func() bool {
		text := w.transcript()
		return strings.Contains(text, `"door":"mount","source":"203.0.113.9","effect":"exec"`) && strings.Contains(text, "no_journal")
	})
	w.shut(ssh4)
}

// journalWorks waits until the journal is written, and checks that all opens.
func (w *world) journalWorks() {
	w.Helper()
	w.eventually("the journal is written again", func() bool { return !w.hasReason("journal-unwritable") && !w.hasReason("set-not-saved") })
	w.knock(mountKnocks...)
	w.opens(ssh4)
	w.shuts(ssh4)
}

// TestRealReadOnlyState starts on a state directory that is read-only, with and without a journal.
func TestRealReadOnlyState(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": mountDoor})
	w.mountState("size=1m,mode=0700")
	w.readOnly(true)
	w.start()
	w.journalRefuses()
	contains(t, w.answer("status"), "journal-unwritable", "read-only file system")
	w.readOnly(false)
	w.journalWorks()

	t.Log("# with a journal and a saved set")
	if status := w.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	w.readOnly(true)
	w.start()
	w.journalRefuses()
	w.kill()
	w.start() // there is a lock file, and it is locked without being written
	first, socket := w.daemon, w.socket
	w.socket = w.path("other")
	w.fails("another sesame, process ")
	w.socket, w.daemon = socket, first
	w.readOnly(false)
	w.journalWorks()
}

// TestRealStateComesLate starts without the state directory, which comes back while the daemon
// runs: its pending undo runs then, and no grant is lost, whoever gave it.
func TestRealStateComesLate(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(mountDoor, `ttl = "2s"`, `ttl = "1h"`, 1)})
	w.mountState("size=1m,mode=0700")
	disk := w.state
	w.state = filepath.Join(disk, "state")
	w.start()
	w.send(livetest.Source4(1), mountKnocks...)
	w.send(livetest.Source4(2), sshKnocks...)
	w.eventually("three grants", func() bool { return len(w.grants()) == 3 })
	w.eventually("they are recorded", func() bool {
		text, _ := os.ReadFile(filepath.Join(w.state, "journal"))
		return bytes.Count(text, []byte(`"id":`)) >= 3
	})
	w.kill()
	if err := os.Rename(w.state, filepath.Join(disk, "aside")); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		w.eventually("it is mounted anew", func() bool { // the kernel closes the files of a killed process a little later
			return unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|flags, "mode=0700") == nil
		})
	}
	remount(unix.MS_RDONLY)
	w.start()
	w.eventually("the status says so", func() bool { return w.hasReason("journal-unwritable") })
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if now := w.elements(); !slices.Contains(now, livetest.Source4(2).String()) {
		t.Errorf("open are %v, without the grant from before the start", now)
	}
	remount(0)
	if err := os.Rename(filepath.Join(disk, "aside"), w.state); err != nil {
		t.Fatal(err)
	}
	w.logged("the state directory answers")
	w.logged("undo commands were pending")
	w.eventually("the journal is written", func() bool { return !w.hasReason("journal-unwritable") })
	before := len(w.grants())
	w.kill()
	w.start()
	if got := len(w.grants()); got != before || got < 2 {
		t.Errorf("%d grants after another start, want %d", got, before)
	}
	w.opens(ssh4)
}

// TestRealHungState lets the disk of the state directory hang: while the daemon runs, when it
// stops, and when it starts.
func TestRealHungState(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": mountDoor})
	f := newFreezer(w)
	w.start()
	f.freeze()
	w.journalRefuses()

	t.Log("# scripts are read again")
	w.write("web.lua", `sesame.door "web" { sequence = { "tcp/7440", "udp/9150", "tcp/2920" }, guards = "tcp/80" }`)
	w.eventually("the door is there", func() bool { return w.status().Scripts.Doors == 3 })
	w.eventually("the status says that it is not saved", func() bool { return w.hasReason("set-not-saved") })
	f.thaw()
	w.journalWorks()

	t.Log("# stopping ends all that can end; the process is gone when the disk answers")
	f.freeze()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if err := w.daemon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.eventually("the socket is gone", func() bool {
		_, err := os.Stat(w.socket)
		return err != nil
	})
	f.thaw()
	w.exit()

	t.Log("# a start on a disk that can be read alone")
	f.freeze()
	w.start()
	w.journalRefuses()
	f.thaw()
	w.journalWorks()
}

// TestRealHungStateAtTheFirstStart has a disk that hangs before there is anything on it. The daemon
// does not touch it, so it can drop its privileges.
func TestRealHungStateAtTheFirstStart(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": mountDoor})
	f := newFreezer(w)
	f.freeze()
	w.start()
	w.journalRefuses()
	if w.hasReason("privileges-kept") {
		t.Error("the daemon kept all privileges of root")
	}
	f.thaw()
	w.logged("the state directory answers")
	w.journalWorks()
	w.nothingWrong()
}

// TestRealHungStateIsReported asks a daemon whose disk hangs.
func TestRealHungStateIsReported(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": mountDoor})
	f := newFreezer(w)
	w.start()
	f.freeze()
	w.knock(mountKnocks...)
	w.eventually("the status says so", func() bool { return w.hasReason("journal-unwritable") })
	contains(t, w.answer("status"), "journal-unwritable", "the disk does not answer")
	contains(t, w.answer("explain", "203.0.113.9"), "no_journal")
	if e := w.sesame("status", "--strict"); e.status != 1 {
		t.Errorf("exit status %d of sesame status --strict", e.status)
	}
	f.thaw()
	w.journalWorks()
	w.nothingWrong()
}

// TestRealStateDirectoryIsLost deletes and replaces the state directory while the daemon runs. What
// was pending before and after that is done by the next start, and the scripts are saved.
func TestRealStateDirectoryIsLost(t *testing.T) {
	for name, lose := range map[string]func(w *world) error{
		"deleted": func(w *world) error { return os.RemoveAll(w.state) },
		"replaced": func(w *world) error {
			return errors.Join(os.Rename(w.state, w.state+".old"), os.Mkdir(w.state, 0o700))
		},
		"emptied": func(w *world) error {
			return errors.Join(os.Remove(w.state+"/journal"), os.Remove(w.state+"/set"), os.Remove(w.state+"/lock"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(mountDoor, `ttl      = "2s"`, `ttl      = "1h"`, 1)})
			w.start()
			w.knock(mountKnocks...)
			w.opens(ssh4)
			if err := lose(w); err != nil {
				t.Fatal(err)
			}
			w.send(livetest.Source4(1), mountKnocks...)
			w.logged("the state directory was lost while the daemon ran")
			w.eventually("both have access", func() bool { return strings.Count(w.log(), "access opened: door=mount ") == 2 })
			w.eventually("both are in the journal, and the set is saved", func() bool {
				text, _ := os.ReadFile(filepath.Join(w.state, "journal"))
				_, err := os.Stat(filepath.Join(w.state, "set"))
				return err == nil && bytes.Count(text, []byte(`"undo":`)) >= 2
			})
			w.nothingWrong()
			w.kill()
			w.write("ssh.lua", "broken")
			w.start()
			if got := len(w.grants()); got != 4 {
				t.Errorf("%d grants after the next start, want 4", got)
			}
		})
	}
}

// TestRealStateDirectoryCannotBeMade deletes the state directory, and lets it not be made.
func TestRealStateDirectoryCannotBeMade(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": mountDoor})
	w.start()
	if err := errors.Join(os.RemoveAll(w.state), os.WriteFile(w.state, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the status says so before anybody knocks", func() bool { return w.hasReason("journal-unwritable") })
	contains(t, w.answer("status"), "was deleted, and cannot be made anew")
	w.journalRefuses()
	if err := os.Remove(w.state); err != nil {
		t.Fatal(err)
	}
	w.journalWorks()
	w.nothingWrong()
}

// elements returns the addresses that the kernel lets in.
func (w *world) elements() []string {
	w.Helper()
	var all []string
	list := w.net.Server.Exec("nft", "list", "set", "inet", "sesame", "grants4")
	for _, part := range strings.Split(list, "198.18.")[1:] {
		address, _, _ := strings.Cut(part, " ")
		all = append(all, "198.18."+address)
	}
	slices.Sort(all)
	return all
}

// TestRealKilledBetweenOpeningAndWriting kills the daemon at random moments while it gives and
// revokes, on a disk that hangs every other time, so that nothing is written. Each time the next
// start keeps exactly what the kernel has. SESAME_KILLS is how often (default 8).
func TestRealKilledBetweenOpeningAndWriting(t *testing.T) {
	kills := fromEnvironment(t, "SESAME_KILLS", 8)
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(longDoor, "10m", "1h", 1)})
	f := newFreezer(w)
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	w.start()
	source, unwritten := 0, 0
	revoked := map[string]bool{}
	for kill := range kills {
		if kill%2 == 1 {
			f.freeze()
		}
		for range 1 + r.IntN(3) {
			source++
			w.send(livetest.Source4(source), sshKnocks...)
		}
		if open := w.elements(); len(open) > 0 && r.IntN(2) == 0 {
			address := open[r.IntN(len(open))]
			var request control.RevokeRequest
			if err := request.Source.UnmarshalText([]byte(address)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.client().Revoke(w.Context(), request); err == nil {
				w.eventually("it is revoked", func() bool { return !slices.Contains(w.elements(), address) })
				revoked[address] = true
			}
		}
		w.pass(time.Duration(r.IntN(3000)) * time.Microsecond)
		_ = w.daemon.cmd.Process.Kill()
		if f.frozen {
			unwritten++
			f.thaw() // a process that waits for a disk ends when the disk answers
		}
		<-w.daemon.exited
		stood := w.elements()
		w.start()
		if now := w.elements(); !slices.Equal(now, stood) {
			t.Fatalf("kill %d: before the start\n%v\nand after it\n%v", kill, stood, now)
		}
		var known []string
		for _, g := range w.grants() {
			known = append(known, g.Source.Addr().String())
			if revoked[g.Source.Addr().String()] {
				t.Fatalf("kill %d: %v was revoked, and is back", kill, g.Source)
			}
		}
		if slices.Sort(known); !slices.Equal(known, stood) {
			t.Fatalf("kill %d: the kernel has\n%v\nand the daemon knows\n%v", kill, stood, known)
		}
	}
	t.Logf("%d kills, %d of them with nothing written, %d sources, %d revoked", kills, unwritten, source, len(revoked))
}
