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

// A notifier sends the state of the daemon to the service manager, as sd_notify(3) describes.
// Without a service manager it does nothing. No method waits: a manager that does not read
// must not stop the loop.
type notifier struct {
	socket   string        // "" without a service manager
	fd       int           // notifications are sent from it; -1: it could not be opened
	watchdog time.Duration // timeout of the watchdog; 0: there is none
	last     time.Time     // watchdog notification
}

// newNotifier reads the variables of the service manager and removes them from the
// environment, so that a command of a script cannot send notifications as the daemon.
func newNotifier() *notifier {
	n := &notifier{socket: os.Getenv("NOTIFY_SOCKET"), fd: -1}
	if n.socket != "" {
		_ = n.open() // send tries again
	}
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

// interval returns the longest time between two calls of alive, and 0 when there is no
// watchdog.
func (n *notifier) interval() time.Duration { return n.watchdog / 2 }

// alive sends the watchdog notification when a third of its timeout has passed since the last
// one. Only the loop calls it, so a stuck loop makes the service manager restart the daemon.
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

// ready reports that the start is complete.
func (n *notifier) ready(status string) error { return n.send("READY=1", statusLine(status)) }

// status reports one line about the state.
func (n *notifier) status(text string) error { return n.send(statusLine(text)) }

// stopping reports that the shutdown has begun.
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
	if n.fd < 0 {
		if err := n.open(); err != nil {
			return fmt.Errorf("notifying the service manager: %w", err)
		}
	}
	// A name that begins with @ is an abstract socket.
	err := unix.Sendto(n.fd, []byte(strings.Join(lines, "\n")), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: n.socket})
	if err != nil {
		return fmt.Errorf("notifying the service manager at %s: %w", n.socket, err)
	}
	return nil
}

// open opens the socket that notifications are sent from. It stays open: a daemon without file
// descriptors must not be restarted by its watchdog.
func (n *notifier) open() (err error) {
	n.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		n.fd = -1
	}
	return err
}

// close closes the socket.
func (n *notifier) close() {
	if n.fd >= 0 {
		_ = unix.Close(n.fd) // nothing is buffered in it
		n.fd = -1
	}
}
