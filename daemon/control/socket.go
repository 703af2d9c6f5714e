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

// A Socket is the unix socket of a daemon. While it is open no other daemon can open one at its
// path. Its methods may be called from any goroutine.
type Socket struct {
	path    string
	renewed chan *net.UnixListener // capacity 0: listeners that Renew made, for Serve
	ended   chan struct{}          // closed by Close
	close   func() error
	spare   *spare

	mu       sync.Mutex
	listener *net.UnixListener
	file     os.FileInfo // of the socket that we created
	lock     *os.File
	closed   bool
}

// Listen creates a socket at path with mode 0600, and its directory when that is missing. It
// replaces the socket of a daemon that has died. It is an error when a daemon answers at the
// path, and when the file there is not a socket.
//
// It also creates path.lock, an empty file that stays. The daemon holds a lock on it. The socket
// has a second name, see [Socket.Renew].
func Listen(path string) (*Socket, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	s := &Socket{path: path, renewed: make(chan *net.UnixListener), ended: make(chan struct{}), spare: &spare{}}
	s.close = sync.OnceValue(s.remove)
	if err := s.create(); err != nil {
		return nil, err
	}
	s.spare.take() // before the rest of the start uses all descriptors up
	return s, nil
}

// create makes the directory, takes the lock unless we have it, and makes the file of the socket.
func (s *Socket) create() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return fmt.Errorf("making the directory of the socket: %w", err)
	}
	if s.lock != nil && isAt(s.lock, s.path+".lock") {
		return s.restore()
	}
	lock, err := lockFor(s.path)
	if err != nil {
		return err
	}
	if err := s.restore(); err != nil {
		return errors.Join(err, lock.Close())
	}
	if s.lock != nil {
		err = s.lock.Close() // of a file that is gone
	}
	s.lock = lock
	return err
}

// isAt reports whether a path leads to an open file.
func isAt(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}

// Renew makes the socket again when its file is gone, as after rm or when /run was mounted anew,
// and reports whether it did. Connections that are open go on. A file of another kind at the path
// stays, and is an error; so is a daemon that answers there. It looks at the disk, so it may wait.
//
// As long as the file has its second name, it gets the first one again, and the socket stays the
// same. A confined process cannot do more, since it makes no socket. When both are gone, as with
// the directory, a new socket is made.
//
// The lock file may be gone as well. Until Renew has made both again, another daemon could start.
func (s *Socket) Renew() (renewed bool, err error) {
	before, now, err := s.replace()
	if err != nil || now == nil {
		return false, err
	}
	if before == now {
		return true, nil
	}
	select {
	case s.renewed <- now: // before the old one ends, so that Serve knows why it ends
	case <-s.ended:
	}
	return true, before.Close()
}

// replace makes the socket again when its file is gone. It returns the listeners from before and
// from now on, which may be the same; nil: the file is there.
func (s *Socket) replace() (before, now *net.UnixListener, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, nil
	}
	if s.isOurs(s.path) {
		s.nameAgain()
		return nil, nil, nil
	}
	before = s.listener
	if err := s.create(); err != nil {
		return nil, nil, err
	}
	return before, s.listener, nil
}

// current returns the listener at the path.
func (s *Socket) current() *net.UnixListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener
}

// maxPath is the longest path of a unix socket, in bytes without the final zero.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("no path for the socket: name one with --socket")
	case len(path) > maxPath:
		return fmt.Errorf("socket %s: the path has %d bytes: the kernel takes at most %d; name a shorter one with --socket", path, len(path), maxPath)
	case path[0] == '@': // package net takes it for an abstract address, which every user may open
		return fmt.Errorf("socket %s: expected the path of a file; write ./%s when it is one", path, path)
	}
	return nil
}

// lockFor locks the lock file of a socket. The kernel unlocks it when the process ends, also
// after a crash.
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

// second returns the second name of the file of the socket. It is hidden, so that what removes
// all files of the directory leaves it.
func (s *Socket) second() string {
	return filepath.Join(filepath.Dir(s.path), "."+filepath.Base(s.path)+".kept")
}

// isOurs reports whether a path leads to the socket that we made.
func (s *Socket) isOurs(path string) bool {
	there, err := os.Lstat(path)
	return err == nil && s.file != nil && os.SameFile(there, s.file)
}

// nameAgain gives the socket its second name, unless it has it. Another socket there is one of a
// daemon that died, since we hold the lock. Some file systems have no second names: then Renew
// makes a new socket.
func (s *Socket) nameAgain() {
	switch there, err := os.Lstat(s.second()); {
	case err == nil && os.SameFile(there, s.file):
		return
	case err == nil && there.Mode().Type() == fs.ModeSocket:
		_ = os.Remove(s.second()) // else the link fails
	}
	_ = os.Link(s.path, s.second())
}

// restore makes the file of the socket: of its second name, or with a new socket.
func (s *Socket) restore() error {
	if err := clearStale(s.path); err != nil {
		return err
	}
	if s.isOurs(s.second()) && os.Link(s.second(), s.path) == nil {
		return nil
	}
	if err := s.bind(); err != nil {
		return err
	}
	s.nameAgain()
	return nil
}

// bind listens.
func (s *Socket) bind() error {
	// The kernel creates the file with the mode of the socket. So there is no moment at which
	// other users can open it.
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
	s.listener.SetUnlinkOnClose(false) // remove first checks that the file is still ours
	if s.file, err = os.Lstat(s.path); err != nil {
		return errors.Join(fmt.Errorf("looking at the new socket: %w", err), listener.Close())
	}
	return nil
}

// clearStale removes a socket that no process listens on.
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
	case errors.Is(err, syscall.EAGAIN): // its queue of connections is full
		return another(path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("asking whether a daemon answers: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the socket of a dead daemon: %w", err)
	}
	return nil
}

// Close closes and removes the socket. A second call does nothing.
func (s *Socket) Close() error { return s.close() }

func (s *Socket) remove() error {
	close(s.ended)
	s.spare.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // Serve has ended it
	}
	for _, path := range []string{s.path, s.second()} {
		if s.isOurs(path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return errors.Join(err, s.lock.Close())
}
