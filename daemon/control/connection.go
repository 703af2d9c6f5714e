package control

import (
	"errors"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxConnections is how many connections are served at the same time. More wait in the kernel's
// queue.
const maxConnections = 64

// A listener looks up the user of each connection that it accepts.
//
// When the process has no file descriptor left, people must still be able to ask what is wrong. So
// the socket has a spare one from its beginning. It is given up for a connection, and taken back
// when a connection ends.
type listener struct {
	*net.UnixListener
	spare *spare
}

// Accept waits for a connection. While there is no descriptor for it, it tries again after a pause;
// the connection waits in the kernel's queue.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		switch {
		case err == nil:
			user, err := userOf(c)
			return connection{c, user, err == nil && allowed(user.Uid, os.Geteuid()), l.spare}, nil
		case !withoutRoom(err):
			return nil, err
		case !l.spare.give():
			pauseForRoom()
			l.spare.take()
		}
	}
}

// withoutRoom reports whether an error means that the process, or the machine, has no file
// descriptor or no memory left. That may be over soon.
func withoutRoom(err error) bool {
	for _, one := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// A spare is a file descriptor that is kept for when the process has no other left.
type spare struct {
	mu    sync.Mutex
	file  *os.File // nil: it is given
	ended bool     // no connection comes any more
}

// end closes the descriptor for good.
func (s *spare) end() {
	s.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// take opens the descriptor, if it is not open and there is room for it.
func (s *spare) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && !s.ended {
		if file, err := os.Open(os.DevNull); err == nil {
			s.file = file
		}
	}
}

// give closes the descriptor, and reports whether it was open.
func (s *spare) give() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return false
	}
	_ = s.file.Close() // nothing was written
	s.file = nil
	return true
}

// A connection has in its remote address who opened it, and whether that user is allowed. No other
// method of a connection passes through [netutil.LimitListener].
type connection struct {
	*net.UnixConn
	user    *unix.Ucred // nil: it is not known
	allowed bool
	spare   *spare
}

// Close closes the connection, whose descriptor may become the spare one.
func (c connection) Close() error {
	err := c.UnixConn.Close()
	c.spare.take()
	return err
}

func (c connection) RemoteAddr() net.Addr { return peer{c.UnixConn.RemoteAddr(), c.user, c.allowed} }

// A peer is the address of the other side of a connection.
type peer struct {
	net.Addr
	user    *unix.Ucred
	allowed bool
}

// allowed reports whether a daemon that runs as self serves a user.
func allowed(user uint32, self int) bool { return user == 0 || int64(user) == int64(self) }

// allowedKey is the key of a request's context for whether its connection is allowed.
type allowedKey struct{}
