package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/livetest"
	"sesame/daemon/logtest"
)

// nobody is a user without privileges.
const nobody = 65534

// asNobody gives up all privileges of the calling thread, which must end afterwards.
func asNobody() error {
	_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
	if errno != 0 {
		return errno
	}
	return nil
}

// The first daemon of a network has the lock until it ends. The second is told who has it. Another
// network has a lock of its own.
func TestRealInstanceLock(t *testing.T) {
	here, there := livetest.New(t).Server, livetest.New(t).Server
	log := hclog.NewNullLogger()
	var first *instance
	must(t, here.Do(func() (err error) {
		if pid, running := RunningInstance(); running {
			t.Errorf("process %d runs before the first", pid)
		}
		first, err = lockInstance(log)
		return err
	}))
	if first.queue == nil {
		t.Error("this kernel has queues, and yet the lock is a file")
	}
	must(t, here.Do(func() error {
		_, err := lockInstance(log)
		if want := fmt.Sprintf("another sesame, process %d, guards this network: stop that one first", os.Getpid()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("a second daemon: %v, want %q", err, want)
		}
		if pid, running := RunningInstance(); pid != os.Getpid() || !running {
			t.Errorf("process %d runs (%t), want %d", pid, running, os.Getpid())
		}
		return nil
	}))
	must(t, there.Do(func() error {
		other, err := lockInstance(log)
		if err != nil {
			return err
		}
		return other.close()
	}))
	must(t, first.close())
	must(t, here.Do(func() error {
		again, err := lockInstance(log)
		if err != nil {
			return err
		}
		return again.close()
	}))
}

// A user without privileges can neither take the lock, before or after a daemon, nor break it.
func TestRealInstanceLockOfNobody(t *testing.T) {
	host := livetest.New(t).Server
	var squatter net.Listener
	must(t, host.Do(func() (err error) {
		if err := asNobody(); err != nil {
			return err
		}
		if conn, err := bindQueue(instanceQueue); err == nil {
			t.Error("nobody took the lock")
			_ = conn.Close()
		}
		squatter, err = net.Listen("unix", earlierName) // which any user may do
		return err
	}))
	defer squatter.Close()
	go func() {
		for {
			conn, err := squatter.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	text := &logtest.Buffer{}
	var lock *instance
	must(t, host.Do(func() (err error) {
		lock, err = lockInstance(hclog.New(&hclog.LoggerOptions{Output: text}))
		return err
	}))
	defer lock.close()
	if !strings.Contains(text.String(), "a user listens at the name of an earlier sesame, and is ignored") {
		t.Errorf("logged %q", text)
	}
	must(t, host.Do(func() error {
		if err := asNobody(); err != nil {
			return err
		}
		_, err := bindQueue(instanceQueue)
		if err == nil {
			t.Error("nobody took the lock from the daemon")
		}
		return nil
	}))
	must(t, host.Do(func() error {
		if _, err := lockInstance(hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), "another sesame") {
			t.Errorf("after nobody tried: %v", err)
		}
		return nil
	}))
}

// A daemon of an earlier version is noticed: an upgrade must not run two.
func TestRealInstanceOfAnEarlierVersion(t *testing.T) {
	host := livetest.New(t).Server
	var earlier net.Listener
	must(t, host.Do(func() (err error) {
		earlier, err = net.Listen("unix", earlierName)
		return err
	}))
	defer earlier.Close()
	must(t, host.Do(func() error {
		_, err := lockInstance(hclog.NewNullLogger())
		if want := fmt.Sprintf("another sesame, process %d, guards", os.Getpid()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if pid, running := RunningInstance(); !running || pid != os.Getpid() {
			t.Errorf("process %d runs (%t)", pid, running)
		}
		return nil
	}))
}

const lockChild = "SESAME_TEST_LOCK_CHILD"

// A daemon that is killed frees the lock at once.
func TestRealInstanceLockOfADaemonThatIsKilled(t *testing.T) {
	if os.Getenv(lockChild) != "" {
		_, err := lockInstance(hclog.NewNullLogger())
		fmt.Println("locked", err)
		select {} // until it is killed
	}
	host := livetest.New(t).Server
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), lockChild+"=1")
	out, err := child.StdoutPipe()
	must(t, err)
	host.Start(child)
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil || string(line[:n]) != "locked <nil>\n" {
		t.Fatalf("the child says %q, %v", line[:n], err)
	}
	must(t, host.Do(func() error {
		_, err := lockInstance(hclog.NewNullLogger())
		if want := fmt.Sprintf("another sesame, process %d,", child.Process.Pid); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		return nil
	}))
	must(t, child.Process.Kill())
	_ = child.Wait()
	must(t, host.Do(func() error {
		lock, err := lockInstance(hclog.NewNullLogger())
		if err != nil {
			return err
		}
		return lock.close()
	}))
}

// The lock file of kernels without queues.
func TestInstanceLockFile(t *testing.T) {
	dir := t.TempDir() + "/run"
	const network = "net:[4026531840]"
	if pid, held := fileHeld(dir, network); held {
		t.Errorf("process %d has it before the first", pid)
	}
	first, _, err := lockFile(dir, network)
	must(t, err)
	if _, err := os.Stat(dir + "/guard-net-4026531840.lock"); err != nil {
		t.Error(err)
	}
	if _, pid, err := lockFile(dir, network); !errors.Is(err, errHeld) || pid != os.Getpid() {
		t.Errorf("the second: %v, process %d", err, pid)
	}
	if pid, held := fileHeld(dir, network); !held || pid != os.Getpid() {
		t.Errorf("held by %d: %t", pid, held)
	}
	other, _, err := lockFile(dir, "net:[1]")
	must(t, err)
	must(t, other.Close(), first.Close())
	if pid, held := fileHeld(dir, network); held {
		t.Errorf("process %d still has it", pid)
	}
	again, _, err := lockFile(dir, network)
	must(t, err)
	must(t, again.Close())
}

// A lock that others could break is none.
func TestInstanceLockFileOfOthers(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	if _, _, err := lockFile(dir, "net:[1]"); err == nil || !strings.Contains(err.Error(), "run chmod 0755 "+dir) {
		t.Errorf("a directory that all can write to: %v", err)
	}
	must(t, os.Chmod(dir, 0o755), os.Symlink("/etc/passwd", dir+"/guard-net-1.lock"))
	if _, _, err := lockFile(dir, "net:[1]"); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, held := fileHeld(dir, "net:[1]"); held {
		t.Error("a symbolic link was followed")
	}
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Chown(dir, nobody, 0))
	if _, _, err := lockFile(dir, "net:[1]"); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("a directory of another user: %v", err)
	}
}
