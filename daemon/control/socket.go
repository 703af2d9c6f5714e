package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Socket is where a daemon is asked. While it is open no other daemon can
// have one at its path.
type Socket struct {
	listener *net.UnixListener
	path     string
	file     os.FileInfo // as it was made
	lock     *os.File
	close    func() error
}

// Listen makes a socket at path that only its owner can open, and the directory
// that holds it. What a dead daemon left is replaced; a socket that somebody
// answers, and a file that is none, are an error.
//
// It leaves path.lock behind: an empty file that is locked by whom the socket
// belongs to.
func Listen(path string) (*Socket, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the socket: %w", err)
	}
	lock, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	s := &Socket{path: path, lock: lock}
	s.close = sync.OnceValue(s.remove)
	if err := s.bind(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// maxPath is what an address of the kernel has room for, with its final zero.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("no path for the socket: name one with --socket")
	case len(path) > maxPath:
		return fmt.Errorf("socket %s: the path has %d bytes: the kernel takes at most %d; name a shorter one with --socket", path, len(path), maxPath)
	case path[0] == '@': // net would take it for an address without a file, which anybody may open
		return fmt.Errorf("socket %s: expected the path of a file; write ./%s when it is one", path, path)
	}
	return nil
}

// lockFor takes the lock that goes with a socket. The kernel gives it back when
// the process ends, however it ends.
func lockFor(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the socket: %w", err)
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = another(path)
	} else if err != nil {
		err = fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func another(path string) error {
	return fmt.Errorf("another daemon runs: it answers at %s; stop it, or name another socket with --socket", path)
}

// bind listens at a path that is free, and makes it free.
func (s *Socket) bind() error {
	if err := clearStale(s.path); err != nil {
		return err
	}
	// The kernel makes the file with the socket's own mode, so that there is no
	// moment at which others can open it.
	private := func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}
	config := net.ListenConfig{Control: private}
	listener, err := config.Listen(context.Background(), "unix", s.path)
	if err != nil {
		return fmt.Errorf("listening for requests: %w", err)
	}
	s.listener = listener.(*net.UnixListener)
	s.listener.SetUnlinkOnClose(false) // Close looks first whether it is still ours
	if s.file, err = os.Lstat(s.path); err != nil {
		return errors.Join(fmt.Errorf("looking at the new socket: %w", err), listener.Close())
	}
	return nil
}

// clearStale removes a socket that nobody answers any more, and nothing else.
func clearStale(path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for an old socket: %w", err)
	case file.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("socket %s: a file is there that is no socket: remove it, or name another path with --socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(another(path), conn.Close())
	}
	switch {
	case errors.Is(err, syscall.EAGAIN): // so many ask it that they have to wait
		return another(path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("asking whether a daemon answers: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the socket of a dead daemon: %w", err)
	}
	return nil
}

// Close ends the listening and removes the socket. After the first time it does
// nothing more.
func (s *Socket) Close() error { return s.close() }

func (s *Socket) remove() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // Serve has ended it
	}
	if file, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(file, s.file) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return errors.Join(err, s.lock.Close())
}
