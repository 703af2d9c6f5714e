package control

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxConnections is how many connections are served at the same time. More wait in the kernel's
// queue.
const maxConnections = 64

// A listener looks up the user of each connection that it accepts.
type listener struct{ *net.UnixListener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	user, err := userOf(c)
	return connection{c, err == nil && allowed(user, os.Geteuid())}, nil
}

// A connection has in its remote address whether its user is allowed. No other method of a
// connection passes through [netutil.LimitListener].
type connection struct {
	*net.UnixConn
	allowed bool
}

func (c connection) RemoteAddr() net.Addr { return peer{c.UnixConn.RemoteAddr(), c.allowed} }

// A peer is the address of the other side of a connection.
type peer struct {
	net.Addr
	allowed bool
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
	p, ok := c.RemoteAddr().(peer)
	return context.WithValue(ctx, allowedKey{}, ok && p.allowed)
}
