package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A served is a socket that is served until the test ends.
func served(t *testing.T, path string, api API) *Socket {
	t.Helper()
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	serving(t, s, api)
	return s
}

// serving serves a socket until the test ends.
func serving(t *testing.T, s *Socket, api API) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, api, log.New(io.Discard, "", 0)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (s *Socket) mustRenew(t *testing.T, want bool) {
	t.Helper()
	if renewed, err := s.Renew(); renewed != want || err != nil {
		t.Fatalf("renewed %t, %v; want %t", renewed, err, want)
	}
}

// A socket that somebody deletes, with its lock or its whole directory, is made again, with the
// same mode. Who follows the events goes on to get them.
func TestADeletedSocketIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s.sock")
	api := fakeAPI()
	s := served(t, path, api)
	follower, out := io.Pipe()
	lines := bufio.NewReader(follower)
	following, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = Dial(path).Events(following, EventsRequest{Follow: true, JSON: true}, out) }()
	follows := func(packet int) {
		t.Helper()
		var err error
		api.Events.Add(knocks(packet, 1))
		for line := ""; !strings.Contains(line, `"stage"`); {
			if line, err = lines.ReadString('\n'); err != nil {
				t.Fatalf("the follower reads %q, %v", line, err)
			}
		}
	}
	follows(1)
	s.mustRenew(t, false)
	for i, remove := range []func() error{
		func() error { return os.Remove(path) },
		func() error { return errors.Join(os.Remove(path), os.Remove(path+".lock")) },
		func() error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNoDaemon) {
			t.Fatalf("without a socket: %v", err)
		}
		s.mustRenew(t, true)
		s.mustRenew(t, false)
		if _, err := Dial(path).Status(t.Context()); err != nil {
			t.Errorf("after deletion %d: %v", i, err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600|os.ModeSocket {
			t.Errorf("after deletion %d: %v, %v", i, info, err)
		}
		if lock, err := lockFor(path); err == nil {
			t.Errorf("after deletion %d nobody has the lock", i)
			lock.Close()
		}
		follows(i + 2)
		if _, err := Listen(path); err == nil || !strings.HasPrefix(err.Error(), "another daemon runs") {
			t.Errorf("after deletion %d a second daemon starts: %v", i, err)
		}
	}
}

// While the socket cannot be made, nothing of others is touched, and each try says why.
func TestADeletedSocketThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	path, victim := dir+"/s", dir+"/victim"
	s := served(t, path, fakeAPI())
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	replaced := func(with func() error, want string) {
		t.Helper()
		if err := errors.Join(os.RemoveAll(path), with()); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		for range 2 {
			if renewed, err := s.Renew(); renewed || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("renewed %t, %v; want %q", renewed, err, want)
			}
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("what stood there was replaced: %v", err)
		}
	}
	replaced(func() error { return os.Symlink(victim, path) }, "that is no socket")
	replaced(func() error { return os.WriteFile(path, nil, 0o600) }, "that is no socket")
	replaced(func() error { return os.Mkdir(path, 0o700) }, "that is no socket")
	other, err := net.Listen("unix", dir+"/other")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	replaced(func() error { return os.Rename(dir+"/other", path) }, "another daemon runs")
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the file behind a link has %q, %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.mustRenew(t, true)
	if _, err := Dial(path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// A daemon that started while the socket and its lock were gone is not disturbed.
func TestADeletedSocketThatAnotherDaemonHas(t *testing.T) {
	path := t.TempDir() + "/s"
	first := served(t, path, fakeAPI())
	if err := errors.Join(os.Remove(path), os.Remove(path+".lock")); err != nil {
		t.Fatal(err)
	}
	second, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if renewed, err := first.Renew(); renewed || err == nil || !strings.HasPrefix(err.Error(), "another daemon runs") {
		t.Errorf("renewed %t, %v", renewed, err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	first.mustRenew(t, true)
}

// After the end nothing is made again.
func TestAClosedSocketIsNotRenewed(t *testing.T) {
	path := t.TempDir() + "/s"
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.mustRenew(t, false)
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is back")
	}
}

// Without a file descriptor the daemon answers all the same, one connection after another.
func TestAnswersWithoutDescriptors(t *testing.T) {
	path := t.TempDir() + "/s"
	served(t, path, fakeAPI())
	ask := asking(t, path)
	ask() // what opens files at the first use has opened them
	all := takeDescriptors(t)
	if _, err := os.Open(os.DevNull); !errors.Is(err, unix.EMFILE) {
		t.Fatalf("opening a file: %v, want EMFILE", err)
	}
	_ = all[0].Close() // for the client, which is in this process
	for range 5 {
		ask()
	}
}

// The same when the start uses all descriptors up before the socket is served.
func TestAnswersWhenTheStartLeftNoDescriptor(t *testing.T) {
	dir := t.TempDir()
	served(t, dir+"/first", fakeAPI())
	asking(t, dir+"/first")() // what opens files at the first use has opened them
	s, err := Listen(dir + "/s")
	if err != nil {
		t.Fatal(err)
	}
	all := takeDescriptors(t)
	serving(t, s, fakeAPI())
	_ = all[0].Close() // for the client
	ask := asking(t, dir+"/s")
	for range 5 {
		ask()
	}
}

// asking returns a function that asks a daemon for its status.
func asking(t *testing.T, path string) func() {
	return func() {
		t.Helper()
		var err error
		// The client is in this process as well, and needs a descriptor itself: the one that the
		// daemon is about to close after the answer before.
		for range 1000 {
			if _, err = Dial(path).Status(t.Context()); !errors.Is(err, unix.EMFILE) {
				break
			}
			runtime.Gosched()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The descriptor that was given for a connection is taken back when that ends, so that the next one
// has it.
func TestTheSpareDescriptorComesBack(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	file := os.NewFile(uintptr(pair[0]), "one end")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	s := &spare{}
	if s.take(); !s.give() || s.give() {
		t.Error("it is not given once")
	}
	if err := (connection{conn.(*net.UnixConn), nil, true, s}).Close(); err != nil {
		t.Fatal(err)
	}
	if !s.give() {
		t.Error("it did not come back")
	}
	s.take()
	s.end()
	if s.take(); s.give() {
		t.Error("it is open after the end")
	}
}

// takeDescriptors opens files until the process can open no more. They are closed when the test
// ends.
func takeDescriptors(t *testing.T) (all []*os.File) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	lower := limit
	lower.Cur = min(limit.Cur, 200)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, file := range all {
			_ = file.Close()
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			return all
		}
		all = append(all, file)
	}
}

// As long as the socket has its second name it stays the same, whatever is deleted, and its file
// has the mode of the first. The second name comes back, too.
func TestTheSocketHasASecondName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s.sock")
	s := served(t, path, fakeAPI())
	first := s.current()
	for _, gone := range []string{path, s.second(), path, path, s.second()} {
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		s.mustRenew(t, gone == path)
		s.mustRenew(t, false)
		for _, name := range []string{path, s.second()} {
			if info, err := os.Lstat(name); err != nil || info.Mode() != 0o600|os.ModeSocket {
				t.Fatalf("after %s was deleted, %s: %v, %v", gone, name, info, err)
			}
		}
		if _, err := Dial(path).Status(t.Context()); err != nil || s.current() != first {
			t.Fatalf("after %s was deleted: %v, the same socket: %v", gone, err, s.current() == first)
		}
	}
	ended, err := Listen(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	if err := ended.Close(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{ended.path, ended.second()} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s stays after the end", name)
		}
	}
}

// What stands at the second name is replaced when it is the socket of a daemon that died, and left
// when it is anything else.
func TestAForeignSecondName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	second := (&Socket{path: path}).second()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: second, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	s := served(t, path, fakeAPI())
	if !s.isOurs(second) {
		t.Error("the socket of a dead daemon was not replaced")
	}
	if err := errors.Join(os.Remove(second), os.WriteFile(second, []byte("precious"), 0o600), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	s.mustRenew(t, true) // by a new socket
	if text, err := os.ReadFile(second); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Dial(path).Status(t.Context()); err != nil {
		t.Error(err)
	}
}
