package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"sesame/daemon/livetest"
)

const earlierChild = "SESAME_TEST_EARLIER_CHILD"

// ownUserNamespace starts a child as root of a user namespace of its own, which owns no network.
func ownUserNamespace() *syscall.SysProcAttr {
	both := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: nobody, HostID: nobody, Size: 1}}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: both, GidMappings: both}
}

// startChild runs the calling test again in a process of a host, and returns the first line that
// it prints.
func startChild(t *testing.T, host *livetest.Host, what string, attr *syscall.SysProcAttr) (line string, stop func()) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+strings.Split(t.Name(), "/")[0]+"$")
	child.Env = append(os.Environ(), earlierChild+"="+what)
	child.SysProcAttr = attr
	out, err := child.StdoutPipe()
	must(t, err)
	host.Start(child)
	line, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line), func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}
}

// listenAs listens at the name of earlier versions as a user other than root, with the capabilities
// of a daemon or with none, prints what came of it, and waits to be killed. "root" becomes root
// afterwards, as a user does who runs sudo in the process that listens.
func listenAs(what string) {
	err := cap.SetUID(nobody) // which clears the effective set
	set := cap.NewSet()
	if err == nil && what != "without" {
		values := append([]cap.Value{cap.SETUID}, needed...)
		err = errors.Join(set.SetFlag(cap.Permitted, true, values...), set.SetFlag(cap.Effective, true, values...))
	}
	if err == nil {
		err = set.SetProc()
	}
	if err == nil {
		_, err = net.Listen("unix", earlierName)
	}
	if err == nil && what == "root" {
		err = errors.Join(cap.SetUID(0), set.SetProc())
	}
	fmt.Println(err)
	select {}
}

// An earlier version that runs as another user is noticed by its capabilities. A user who has none,
// or has them in a user namespace alone, prevents no start.
func TestRealEarlierVersionOfAnotherUser(t *testing.T) {
	if what := os.Getenv(earlierChild); what != "" {
		listenAs(what)
	}
	for _, c := range []struct {
		name, what string
		attr       *syscall.SysProcAttr
		noticed    bool
	}{
		{"with capabilities", "with", nil, true},
		{"without", "without", nil, false},
		{"of a program that became root", "root", nil, false},
		{"in a user namespace", "with", ownUserNamespace(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := livetest.New(t).Server
			line, stop := startChild(t, host, c.what, c.attr)
			defer stop()
			if line != "<nil>" {
				t.Fatalf("the child says %q", line)
			}
			must(t, host.Do(func() error {
				lock, err := lockInstance(hclog.NewNullLogger())
				if noticed := err != nil && strings.HasPrefix(err.Error(), "another sesame, process "); noticed != c.noticed || err != nil && !noticed {
					t.Errorf("noticed: %t (%v), want %t", noticed, err, c.noticed)
				}
				if lock != nil {
					return lock.close()
				}
				return nil
			}))
		})
	}
}

// An earlier version that starts later finds this one at its name, and who it is, however many
// others connect before.
func TestRealEarlierVersionThatStartsLater(t *testing.T) {
	host := livetest.New(t).Server
	d := &daemon{}
	must(t, host.Do(func() (err error) {
		d.instance, err = lockInstance(hclog.NewNullLogger())
		return err
	}))
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- d.serveEarlier(ctx) }()
	noticed := func() {
		t.Helper()
		must(t, host.Do(func() error {
			if _, err := net.Listen("unix", earlierName); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("an earlier version takes its name: %v", err)
			}
			for range 5000 { // more than the queue of a listener
				if holder := listenerAt(earlierName); holder == nil || int(holder.Pid) != os.Getpid() {
					return fmt.Errorf("the name is held by %v, want process %d", holder, os.Getpid())
				}
			}
			return nil
		}))
	}
	noticed()
	cancel()
	select {
	case err := <-served:
		must(t, err)
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	must(t, host.Do(func() error {
		if pid := earlierInstance(hclog.NewNullLogger()); pid != os.Getpid() {
			t.Errorf("while it stops, process %d has the name", pid)
		}
		return d.instance.close()
	}))
	must(t, host.Do(func() error {
		listener, err := net.Listen("unix", earlierName)
		if err != nil {
			return err
		}
		return listener.Close()
	}))
}

// In a user namespace that does not own the network there is no other daemon to stop.
func TestRealInstanceInAUserNamespace(t *testing.T) {
	if os.Getenv(earlierChild) != "" {
		_, err := lockInstance(hclog.NewNullLogger())
		fmt.Println(err)
		select {}
	}
	host := livetest.New(t).Server
	line, stop := startChild(t, host, "lock", ownUserNamespace())
	defer stop()
	if !strings.HasPrefix(line, "this process has CAP_NET_ADMIN, but not in the user namespace that owns its network: start it as root") {
		t.Errorf("it says %q", line)
	}
}
