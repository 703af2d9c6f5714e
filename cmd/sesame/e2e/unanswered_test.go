//go:build linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/control"
)

// A deaf file system is one that was mounted, and then answers nothing.
type deaf struct {
	*world
	dir string
	fd  int // -1: it is gone
}

// deafen mounts one at a directory.
func (w *world) deafen(dir string) *deaf {
	w.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		w.Skipf("needs FUSE: %v", err)
	}
	d := &deaf{w, dir, fd}
	if err := unix.Mount("deaf", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)); err != nil {
		unix.Close(fd)
		w.Fatalf("mounting %s: %v", dir, err)
	}
	w.beforeKill = d.remove // a process that waits for it ends when it is gone
	w.Cleanup(d.remove)
	d.greet()
	return d
}

// greet answers the first question, FUSE_INIT of linux/fuse.h: until then no other is asked.
func (d *deaf) greet() {
	d.Helper()
	const head, body = 16, 64 // of an answer: fuse_out_header and fuse_init_out
	question := make([]byte, 64<<10)
	if _, err := unix.Read(d.fd, question); err != nil {
		d.Fatal(err)
	}
	answer := make([]byte, head+body)
	binary.NativeEndian.PutUint32(answer, head+body)
	copy(answer[8:head], question[8:16]) // which question it was
	binary.NativeEndian.PutUint32(answer[head:], 7)
	binary.NativeEndian.PutUint32(answer[head+4:], 31)
	binary.NativeEndian.PutUint32(answer[head+20:], 4096) // max_write
	if _, err := unix.Write(d.fd, answer); err != nil {
		d.Fatal(err)
	}
}

// remove ends it, and the questions with an error.
func (d *deaf) remove() {
	if d.fd < 0 {
		return
	}
	unix.Close(d.fd)
	d.fd = -1
	if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
		d.Errorf("unmounting %s: %v", d.dir, err)
	}
}

// asked waits until somebody waits for an answer.
func (d *deaf) asked() {
	d.Helper()
	d.eventually("a file is asked for", func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, 0)
		return err == nil && n > 0
	})
}

// TestRealScriptsDoNotAnswer has scripts on a file system that does not answer, as that of a server
// that is gone. Doors go on, and the daemon ends when it is told to: while it runs, and while it
// starts.
func TestRealScriptsDoNotAnswer(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	d := w.deafen(w.scripts)
	go func() { _, _ = w.client().Reload(w.Context(), control.ReloadRequest{}) }() // it has no answer
	d.asked()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	contains(t, w.log(), "a file system does not answer: what reads it is not waited for", "what is guarded stays shut")
	w.opens(ssh4) // the grant is the kernel's

	t.Log("# at the start")
	d.remove()
	d = w.deafen(w.scripts)
	p := w.launch()
	d.asked()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := w.exit(); status != done {
		t.Errorf("exit status %d", status)
	}
	contains(t, w.log(), "stopping before the start is over: a file system does not answer")
	w.opens(ssh4)
}

// TestRealReadersEndBySignal interrupts a command that waits for scripts. The main thread must not
// be the one that waits: Linux gives it the signals, and it would never take them.
func TestRealReadersEndBySignal(t *testing.T) {
	w := newWorld(t, nil)
	d := w.deafen(w.scripts)
	c := exec.Command("sesame", "check", "-s", w.scripts)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	d.asked()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGTERM {
			t.Errorf("it ended by itself: %v", err)
		}
	case <-time.After(patience):
		d.remove()
		t.Errorf("it does not end by SIGTERM; without the file system: %v", <-ended)
	}
}
