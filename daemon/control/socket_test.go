package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheSocketIsPrivate(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	path := filepath.Join(t.TempDir(), "run", "sesame", "s.sock")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600 | os.ModeSocket, path + ".lock": 0o600, filepath.Dir(path): 0o755 | os.ModeDir} {
		if file, err := os.Lstat(name); err != nil || file.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, file.Mode(), err, want)
		}
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestOneDaemonOneSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.HasPrefix(err.Error(), "another daemon runs: it answers at "+path) {
		t.Errorf("a second daemon: %v", err)
	}
	// Even when its socket was removed by hand.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.HasPrefix(err.Error(), "another daemon runs") {
		t.Errorf("a second daemon: %v", err)
	}
	// What stands there then is somebody else's, and stays.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the first daemon removed what is not its own: %v", err)
	}
}

// A daemon that was killed leaves its socket.
func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotOursIsNeverRemoved(t *testing.T) {
	dir := t.TempDir()
	file, link, directory, answered, datagram := dir+"/file", dir+"/link", dir+"/directory", dir+"/answered", dir+"/datagram"
	if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.Symlink(file, link), os.Mkdir(directory, 0o700)); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", answered)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	d, err := net.ListenPacket("unixgram", datagram)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for path, want := range map[string]string{
		file: "that is no socket", link: "that is no socket", directory: "that is no socket",
		answered: "another daemon runs", datagram: "asking whether a daemon answers", file + "/s": "not a directory",
		"": "no path for the socket", "@s": "expected the path of a file", dir + strings.Repeat("/long", 30): "the kernel takes at most 107",
	} {
		before, _ := os.Lstat(path)
		if s, err := Listen(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %s", path, s, err, want)
		}
		if before != nil {
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("%s is gone", path)
			}
		}
	}
}

// A symbolic link in the place of the lock would have root make a file elsewhere.
func TestTheLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir+"/elsewhere", dir+"/s.lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir + "/s"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(dir + "/elsewhere"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the lock was made elsewhere")
	}
}

func TestServeEndsBeforeItBegins(t *testing.T) {
	s, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx, fakeAPI(), log.New(io.Discard, "", 0)); err != nil {
		t.Error(err)
	}
}

func TestServeTellsAListenerThatBreaks(t *testing.T) {
	s, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s.listener.Close()
	if err := s.Serve(t.Context(), fakeAPI(), log.New(io.Discard, "", 0)); err == nil || !strings.HasPrefix(err.Error(), "serving requests: ") {
		t.Errorf("got %v", err)
	}
}

func TestWhoIsAllowed(t *testing.T) {
	for _, test := range []struct {
		user uint32
		self int
		want bool
	}{
		{0, 0, true}, {0, 1000, true}, {1000, 1000, true}, {1000, 0, false}, {1001, 1000, false}, {1<<32 - 1, -1, false}, {65534, 0, false},
	} {
		if got := allowed(test.user, test.self); got != test.want {
			t.Errorf("allowed(%d, %d) = %v", test.user, test.self, got)
		}
	}
}

// The mode of the socket keeps others out; if somebody widens it, the kernel's
// word about who asks does.
func TestRealOtherUsersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	w := newWorld(t, func(a *API) {
		a.Reload = func(context.Context, ReloadRequest) (Outcome, error) { t.Error("reloaded"); return Outcome{}, nil }
		a.Profiles = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("profiled") })
	})
	request := "POST /v1/reload HTTP/1.1\r\nHost: sesame\r\nContent-Length: 2\r\n\r\n{}"
	for dir := filepath.Dir(w.socket); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := askAs(65534, w.socket, request); !errors.Is(err, unix.EACCES) {
		t.Errorf("the socket's mode lets others in: %q, %v", answer, err)
	}
	if err := os.Chmod(w.socket, 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxConnections { // nor do they take the room of others
		answer, err := askAs(65534, w.socket, request)
		if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 403 ") || !strings.Contains(answer, "only root") {
			t.Fatalf("another user got %q, %v", answer, err)
		}
	}
	answer, err := askAs(65534, w.socket, "GET /debug/pprof/heap HTTP/1.1\r\nHost: sesame\r\n\r\n")
	if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 403 ") {
		t.Errorf("another user asks for a profile, and gets %q, %v", answer, err)
	}
	if _, err := Dial(w.socket).Status(t.Context()); err != nil {
		t.Errorf("root: %v", err)
	}
}

// askAs sends a request as another user and returns the answer.
func askAs(user uintptr, path, request string) (answer string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Only this thread becomes another user, and it ends with the goroutine.
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, user, user, user); errno != 0 {
			err = errno
			return
		}
		answer, err = exchange(path, request)
	}()
	<-done
	return answer, err
}

func exchange(path, request string) (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return "", err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return "", err
	}
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return "", err
	}
	var answer []byte
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil {
			if err != nil {
				err = fmt.Errorf("reading: %w", err)
			}
			return string(answer), err
		}
		answer = append(answer, buf[:n]...)
	}
}
