package control

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxPrepared is how often a confined process can make its socket again.
const maxPrepared = 16

// prepared are sockets that were made before the process gave up making any. They send nothing:
// one that is connected to another program, D-Bus say, instead of listening is of no use. Those
// that a listener accepts are new ones, and do send.
type prepared struct {
	mu      sync.Mutex
	sockets []int
}

// Prepare makes the sockets that [Socket.Renew] uses from then on, for a process that will not be
// allowed to make any. After 16 of them the path cannot be made again.
func (s *Socket) Prepare() error {
	s.prepared.mu.Lock()
	defer s.prepared.mu.Unlock()
	for len(s.prepared.sockets) < maxPrepared {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		s.prepared.sockets = append(s.prepared.sockets, fd)
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
			return os.NewSyscallError("shutdown", err)
		}
		if err := unix.Fchmod(fd, 0o600); err != nil { // which the file gets
			return os.NewSyscallError("fchmod", err)
		}
	}
	return nil
}

// listen listens at a path with a prepared socket, and reports whether there was one.
func (p *prepared) listen(path string) (listener net.Listener, had bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets) == 0 {
		return nil, false, nil
	}
	fd := p.sockets[0]
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, true, os.NewSyscallError("bind", err)
	}
	p.sockets = p.sockets[1:]
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, true, os.NewSyscallError("listen", err)
	}
	listener, err = net.FileListener(file)
	return listener, true, err
}

// close closes those that are left.
func (p *prepared) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range p.sockets {
		_ = unix.Close(fd) // nothing was written
	}
	p.sockets = nil
}
