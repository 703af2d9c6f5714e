package daemon

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A notifier tells the service manager how the daemon is doing (sd_notify(3)).
// Without a service manager it tells nobody. No method ever waits: a manager
// that does not read must not stop the loop.
type notifier struct {
	socket   string        // "" when nobody listens
	watchdog time.Duration // how long the manager waits for a sign of life; 0: for ever
	last     time.Time     // of a sign of life
}

// newNotifier reads what the service manager left in the environment, and removes
// it: a command that the daemon runs must not speak for it.
func newNotifier() *notifier {
	n := &notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && usec < int64(24*time.Hour/time.Microsecond) && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // fails for malformed names alone
	}
	return n
}

// interval returns how often alive must be called, or 0 when nobody calls for a
// sign of life.
func (n *notifier) interval() time.Duration { return n.watchdog / 2 }

// alive is the loop's sign of life, and the loop alone calls it, after it went
// round: as often as it likes, and at least every interval. It is sent when a
// third of the manager's time is over.
func (n *notifier) alive(now time.Time) error {
	if n.watchdog == 0 || now.Sub(n.last) < n.watchdog/3 && !n.last.IsZero() {
		return nil
	}
	err := n.send("WATCHDOG=1")
	if errors.Is(err, unix.EAGAIN) { // tried again in the next round
		return nil
	}
	n.last = now
	return err
}

// ready says that the start is over, and what came of it.
func (n *notifier) ready(status string) error { return n.send("READY=1", statusLine(status)) }

// status says in one line how the daemon is doing.
func (n *notifier) status(text string) error { return n.send(statusLine(text)) }

// stopping says that the end has begun, and why.
func (n *notifier) stopping(status string) error { return n.send("STOPPING=1", statusLine(status)) }

func statusLine(text string) string {
	return "STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

func (n *notifier) send(lines ...string) error {
	if n.socket == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing is buffered in it
	// A name that begins with @ is an abstract one.
	err = unix.Sendto(fd, []byte(strings.Join(lines, "\n")), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: n.socket})
	if err != nil {
		return fmt.Errorf("telling the service manager at %s: %w", n.socket, err)
	}
	return nil
}
