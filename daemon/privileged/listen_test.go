//go:build linux

package privileged

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/effect"
)

// served serves a socket in this process, until the test ends.
func (h *hosted) listen(owner int, idle time.Duration) (path string, ended <-chan error, stop func()) {
	h.t.Helper()
	dir := h.t.TempDir()
	must(h.t, os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755))
	path = filepath.Join(dir, "socket")
	socket, err := Listen(path, owner)
	must(h.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.ServeAt(ctx, socket, idle) }()
	h.t.Cleanup(stop)
	return path, done, stop
}

// TestRealPeers connects as several users: root and the owner of the socket are served.
func TestRealPeers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root alone can become other users")
	}
	h := newWorld(t).host()
	const owner = 12345
	path, ended, stop := h.listen(owner, 0)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != owner {
		t.Fatalf("%v, %v", info, err)
	}
	dial := func(user uint32) error {
		peer := exec.CommandContext(t.Context(), "/proc/self/exe", asPeer, path)
		peer.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		return peer.Run()
	}
	must(t, dial(0), dial(owner))
	must(t, os.Chmod(path, 0o666)) // as if somebody had let all in
	if dial(54321) == nil {
		t.Error("another user is served")
	}
	must(t, dial(owner))

	t.Log("# a bounded number at once")
	var open []*Client
	for range maxSessions {
		eventually(t, "one more is served", func() bool { // the last of those before may just be ending
			c, err := Dial(path)
			if err == nil {
				open = append(open, c)
			}
			return err == nil
		})
	}
	if c, err := Dial(path); err == nil {
		c.Close()
		t.Error("one more is served")
	}
	open[0].Close()
	eventually(t, "another is served again", func() bool {
		c, err := Dial(path)
		if err == nil {
			open[0] = c
		}
		return err == nil
	})
	for _, c := range open {
		c.Close()
	}
	stop()
	must(t, <-ended)
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestConnectionsThatEnd have each a command that still runs: they count no longer.
func TestConnectionsThatEnd(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	path, ended, stop := h.listen(os.Geteuid(), time.Hour)
	for n := range maxSessions + 2 {
		var client *Client
		eventually(t, "one more is served", func() (ok bool) { // the one before may just be ending
			c, err := Dial(path)
			client = c
			return err == nil
		})
		gone := make(chan error, 1)
		go func() { gone <- client.Receive(context.Background()) }()
		go client.Run(t.Context(), w.command(w.say, nil), func(effect.Output, error) {})
		eventually(t, "the command runs", func() bool { return len(w.log()) == n+1 })
		client.Close()
		<-gone
	}
	stop()
	must(t, <-ended)
}

// TestAnIdleHelperEnds ends a while after its last connection, and not before.
func TestAnIdleHelperEnds(t *testing.T) {
	h := newWorld(t).host()
	path, ended, _ := h.listen(os.Geteuid(), 50*time.Millisecond)
	c, err := Dial(path)
	must(t, err)
	select {
	case err := <-ended:
		t.Errorf("it ended while one was connected: %v", err)
	case <-time.After(4 * 50 * time.Millisecond):
	}
	c.Close()
	must(t, <-ended)
}

// TestActivation takes no socket that is meant for another process, or that is another.
func TestActivation(t *testing.T) {
	for _, tt := range []struct{ name, pid, fds, want string }{
		{"by hand", "", "", ""},
		{"of another", "1", "1", ""},
		{"two sockets", strconv.Itoa(os.Getpid()), "2", "the service manager passed 2 sockets: expected one, of sesame-helper.socket"},
	} {
		t.Setenv("LISTEN_PID", tt.pid)
		t.Setenv("LISTEN_FDS", tt.fds)
		socket, err := Activated()
		if socket != nil || (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v, %v", tt.name, socket, err)
		}
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "none/socket"), 0); err == nil || !strings.HasPrefix(err.Error(), "listening for the daemon: ") {
		t.Errorf("nowhere: %v", err)
	}
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "socket"), Net: "unixpacket"})
	must(t, err)
	must(t, os.Remove(socket.Addr().String()))
	if err := newWorld(t).host().ServeAt(t.Context(), socket, 0); err == nil || !strings.HasPrefix(err.Error(), "looking at the socket ") {
		t.Errorf("a socket without a path: %v", err)
	}
}
