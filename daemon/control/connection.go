package control

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxConnections is how many connections are served at the same time. More wait in the kernel's
// queue.
const maxConnections = 64

// A listener accepts at most maxConnections at a time, and looks up the user of each.
type listener struct {
	*net.UnixListener
	room   chan struct{} // one entry for each connection; full: Accept waits
	closed chan struct{} // closed by Close
	once   sync.Once
}

func newListener(l *net.UnixListener) *listener {
	return &listener{UnixListener: l, room: make(chan struct{}, maxConnections), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.AcceptUnix()
	if err != nil {
		<-l.room
		return nil, err
	}
	leave := sync.OnceFunc(func() { <-l.room })
	user, err := userOf(c)
	return &connection{UnixConn: c, leave: leave, allowed: err == nil && allowed(user, os.Geteuid())}, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.UnixListener.Close()
}

// A connection frees its place in the listener when it is closed.
type connection struct {
	*net.UnixConn
	leave   func()
	allowed bool
}

func (c *connection) Close() error {
	defer c.leave()
	return c.UnixConn.Close()
}

// allowed reports whether a daemon that runs as self serves a user.
func allowed(user uint32, self int) bool { return user == 0 || int64(user) == int64(self) }

// userOf returns the user that opened a connection (SO_PEERCRED).
func userOf(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, err
	}
	return peer.Uid, nil
}

// allowedKey is the key of a request's context for whether its connection is allowed.
type allowedKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	ours, ok := c.(*connection)
	return context.WithValue(ctx, allowedKey{}, ok && ours.allowed)
}
