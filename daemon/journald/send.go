//go:build linux

package journald

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Socket is where journald takes entries.
const Socket = "/run/systemd/journal/socket"

// A Sender sends entries to journald. Its socket is not connected: the path is looked up for each
// entry, so entries arrive after journald's socket was made anew, too. A confined process may go on
// using it.
type Sender struct {
	fd        int
	socket    string
	otherwise io.Writer
}

// Open returns a sender to a socket. It is an error when nobody listens there. What cannot be sent
// later is written to otherwise as a line with its priority in front, as sd-daemon(3) describes.
//
// Nobody closes a sender: it ends with the process.
func Open(socket string, otherwise io.Writer) (*Sender, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket for the journal: %w", err)
	}
	s := &Sender{fd, socket, otherwise}
	// journald passes over an empty entry. A full queue is that of somebody who listens.
	if err := s.send(nil, unix.MSG_DONTWAIT); err != nil && !errors.Is(err, unix.EAGAIN) {
		return nil, errors.Join(fmt.Errorf("sending to the journal at %s: %w", socket, err), unix.Close(fd))
	}
	return s, nil
}

// Write sends one entry. It waits while journald does not read, as a write to standard error does,
// so it is called behind a queue.
func (s *Sender) Write(entry []byte) (int, error) {
	if err := s.send(entry, 0); err != nil {
		if _, err := s.otherwise.Write(line(entry)); err != nil {
			return 0, err
		}
	}
	return len(entry), nil
}

// send blocks its thread. Go's poller cannot wait for a socket that is not connected: when the
// queue of the other end is full of entries of others, it is not told that there is room again.
func (s *Sender) send(entry []byte, flags int) error {
	for {
		err := unix.Sendto(s.fd, entry, unix.MSG_NOSIGNAL|flags, &unix.SockaddrUnix{Name: s.socket})
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// line returns an entry as text.
func line(entry []byte) []byte {
	fields, _ := Parse(entry)
	values := map[string]string{}
	for _, f := range fields {
		values[f.Name] = f.Value
	}
	return fmt.Appendf(nil, "<%s>%s\n", values["PRIORITY"], values["MESSAGE"])
}
