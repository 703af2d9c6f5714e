//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSessions bounds the connections that are served at once. The daemon has one. Commands of one
// that has ended are bounded by [Config.AtOnce].
const maxSessions = 16

// firstActivated is the first descriptor that a service manager passes (sd_listen_fds(3)).
const firstActivated = 3

// Activated returns the socket that a service manager listens at for this process; nil: it passed
// none.
func Activated() (*net.UnixListener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return nil, fmt.Errorf("the service manager passed %s sockets: expected one, of sesame-helper.socket", n)
	}
	unix.CloseOnExec(firstActivated) // commands must not have it
	file := os.NewFile(firstActivated, "sesame-helper.socket")
	defer file.Close() // the listener has a copy
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("taking the socket of the service manager: %w", err)
	}
	socket, ok := listener.(*net.UnixListener)
	if !ok || socket.Addr().Network() != "unixpacket" {
		return nil, errors.Join(errors.New("taking the socket of the service manager: it needs ListenSequentialPacket="), listener.Close())
	}
	return socket, nil
}

// Listen listens at a path, which belongs to a user alone. The process that calls it may do nothing
// else meanwhile: its mask for new files is changed.
func Listen(path string, owner int) (*net.UnixListener, error) {
	before := syscall.Umask(0o177)
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("listening for the daemon: %w", err)
	}
	if err := os.Lchown(path, owner, -1); err != nil {
		return nil, errors.Join(fmt.Errorf("listening for the daemon: %w", err), socket.Close())
	}
	return socket, nil
}

// ServeAt serves the daemons that connect to a socket, which it takes over, until ctx ends. Only
// root and the owner of the socket are served. It returns early when nobody was connected for as
// long as idle says; 0: never.
func (s *Server) ServeAt(ctx context.Context, socket *net.UnixListener, idle time.Duration) error {
	defer socket.Close() // a path of our own goes with it
	var owner unix.Stat_t
	if err := unix.Lstat(socket.Addr().String(), &owner); err != nil {
		return fmt.Errorf("looking at the socket %s: %w", socket.Addr(), err)
	}
	w := waiting{socket: socket, idle: idle}
	defer w.sessions.Wait()
	defer context.AfterFunc(ctx, w.stop)()
	for {
		conn, err := w.accept()
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.cfg.Log.Info("nobody is connected: the helper ends, and the socket starts it again")
			return nil
		case err != nil:
			s.cfg.Log.Warn("no daemon can connect now", "error", err)
			<-after(time.Second) // no descriptor is free
		default:
			s.serve(ctx, &w, conn, owner.Uid)
		}
	}
}

// serve begins to serve a connection, if its peer may have one.
func (s *Server) serve(ctx context.Context, w *waiting, conn *net.UnixConn, owner uint32) {
	peer, err := peerOf(conn)
	if err == nil && peer.Uid != 0 && peer.Uid != owner {
		err = fmt.Errorf("user %d has no business here", peer.Uid)
	}
	if err == nil && !w.begin() {
		err = fmt.Errorf("%d are connected already", maxSessions)
	}
	if err != nil {
		s.cfg.Log.Warn("a process is not served", "error", err)
		_ = conn.Close()
		return
	}
	w.sessions.Go(func() {
		defer w.end()
		if err := s.serveUntil(ctx, conn, w.disconnected); err != nil {
			s.cfg.Log.Warn("a connection has ended", "process", peer.Pid, "user", peer.Uid, "error", err)
		}
	})
}

// peerOf returns who connected.
func peerOf(conn *net.UnixConn) (peer *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return peer, errors.Join(failed, err)
}

// A waiting counts the connections of a socket, and knows how long it has none.
type waiting struct {
	socket   *net.UnixListener
	idle     time.Duration
	sessions sync.WaitGroup

	mu      sync.Mutex // guards the next three
	served  int        // connections
	serving int        // and those that have ended, while something runs for them
	stopped bool
}

// accept waits for a connection, and only for as long as idle says while there is none.
func (w *waiting) accept() (*net.UnixConn, error) {
	w.setDeadline()
	return w.socket.AcceptUnix()
}

func (w *waiting) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.served == maxSessions {
		return false
	}
	w.served++
	w.serving++
	return true
}

func (w *waiting) disconnected() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served--
}

func (w *waiting) end() {
	w.mu.Lock()
	w.serving--
	w.mu.Unlock()
	w.setDeadline() // of the accept that waits
}

// stop ends an accept that waits, and those that follow.
func (w *waiting) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.setDeadline()
}

func (w *waiting) setDeadline() {
	w.mu.Lock()
	defer w.mu.Unlock()
	deadline := time.Time{}
	if w.stopped {
		deadline = time.Unix(1, 0)
	} else if w.serving == 0 && w.idle > 0 {
		deadline = now().Add(w.idle)
	}
	_ = w.socket.SetDeadline(deadline)
}
