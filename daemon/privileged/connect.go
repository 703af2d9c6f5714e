//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Pair returns the two ends of a connection, to be inherited by processes. They are closed on exec.
func Pair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to the helper: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "helper"), os.NewFile(uintptr(fds[1]), "daemon"), nil
}

// Dial connects to a helper that listens at a path.
func Dial(path string) (*Client, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("connecting to the helper: %w", err)
	}
	return NewClient(conn)
}

// Conn returns the connection of one end of a [Pair], which it takes over. Any other file is an
// error.
func Conn(end *os.File) (*net.UnixConn, error) {
	defer end.Close() // the connection has a copy
	conn, err := net.FileConn(end)
	if err != nil {
		return nil, fmt.Errorf("connecting to the helper: %w", err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok || socket.LocalAddr().Network() != "unixpacket" {
		return nil, errors.Join(errors.New("connecting to the helper: it is no socket of the type SOCK_SEQPACKET"), conn.Close())
	}
	return socket, nil
}
