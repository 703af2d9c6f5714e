package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A manager is a service manager that the environment names.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return &manager{t, conn}
}

// told returns the next message; "" when there is none.
func (m *manager) told() string {
	m.t.Helper()
	raw, err := m.conn.SyscallConn()
	if err != nil {
		m.t.Fatal(err)
	}
	b := make([]byte, 4096)
	length := 0
	err = raw.Control(func(fd uintptr) { // what was sent is there: nothing is waited for
		if n, _, err := unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT); err == nil {
			length = n
		}
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b[:length])
}

func (m *manager) want(want string) {
	m.t.Helper()
	if got := m.told(); got != want {
		m.t.Errorf("the manager was told %q, want %q", got, want)
	}
}

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@sesame-test-" + strconv.Itoa(os.Getpid())} {
		m := newManager(t, name)
		n := newNotifier()
		if os.Getenv("NOTIFY_SOCKET") != "" {
			t.Error("commands would find the manager's socket")
		}
		for _, tt := range []struct {
			send func() error
			want string
		}{
			{func() error { return n.ready("3 doors\nguard tcp/22") }, "READY=1\nSTATUS=3 doors guard tcp/22"},
			{func() error { return n.ready("4 doors") }, "READY=1\nSTATUS=4 doors"},
			{func() error { return n.status("5 doors") }, "STATUS=5 doors"},
			{func() error { return n.alive(time.Unix(1, 0)) }, ""}, // nobody asked
			{func() error { return n.stopping("terminated") }, "STOPPING=1\nSTATUS=terminated"},
		} {
			if err := tt.send(); err != nil {
				t.Error(err)
			}
			m.want(tt.want)
		}
	}
}

func TestTheWatchdog(t *testing.T) {
	m := newManager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n := newNotifier()
	if n.interval() != 15*time.Second {
		t.Errorf("the interval is %v, want 15s", n.interval())
	}
	start := time.Unix(1_700_000_000, 0)
	sent := 0
	for tick := range 600 { // a minute, ten rounds a second
		if err := n.alive(start.Add(time.Duration(tick) * 100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if m.told() == "WATCHDOG=1" {
			sent++
		}
	}
	if sent != 6 {
		t.Errorf("%d signs of life in a minute, want 6", sent)
	}
	t.Log("# a round each interval is enough")
	for range 3 {
		start = start.Add(time.Hour)
		_ = n.alive(start)
		m.want("WATCHDOG=1")
		_ = n.alive(start.Add(n.interval()))
		m.want("WATCHDOG=1")
	}
}

func TestNobodyWantsASignOfLife(t *testing.T) {
	for _, tt := range []struct{ usec, pid string }{
		{"", ""}, {"0", ""}, {"-5", ""}, {"soon", ""}, {"99999999999999999999", ""}, {"9223372036854775807", ""}, {"30000000", "1"},
	} {
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", tt.pid)
		if n := newNotifier(); n.interval() != 0 {
			t.Errorf("WATCHDOG_USEC=%q WATCHDOG_PID=%q: the interval is %v, want none", tt.usec, tt.pid, n.interval())
		}
	}
}

func TestAManagerThatDoesNotRead(t *testing.T) {
	m := newManager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "1000000")
	n := newNotifier()
	now := time.Unix(1_700_000_000, 0)
	for range 10_000 { // far more than a socket holds: this must return
		now = now.Add(time.Second)
		if err := n.alive(now); err != nil {
			t.Fatal(err)
		}
	}
	for m.told() != "" {
	}
	t.Log("# it reads again: the next round tells it")
	if err := n.alive(now.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	m.want("WATCHDOG=1")
	t.Log("# it is gone")
	_ = m.conn.Close()
	err := n.status("still here")
	if err == nil || !strings.Contains(err.Error(), n.socket) || !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a manager that is gone is told as %v", err)
	}
}
