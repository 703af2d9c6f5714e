//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/writable/writabletest"
)

// What this program does when the first argument says so.
const (
	asLoader  = "load"   // [Load]
	asAttempt = "escape" // what a loader must not be able to do
	asPeer    = "dial"   // connects to a helper at the path that follows
	asHelper  = "serve"  // a helper on descriptor 3, for the scripts and the directory that follow
)

func TestMain(m *testing.M) {
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	var err error
	switch os.Args[1] {
	case asLoader:
		err = Load(os.Stdin, os.Stdout)
	case asAttempt:
		err = attemptEscape()
	case asPeer:
		_, err = Dial(os.Args[2])
	case asHelper:
		err = serveAlone(os.Args[2], os.Args[3])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

// serveAlone is a helper in a process of its own.
func serveAlone(scripts, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	conn, err := Conn(os.NewFile(3, "daemon"))
	if err != nil {
		return err
	}
	s, err := New(configFor(scripts, dir))
	if err != nil {
		return err
	}
	return errors.Join(s.Serve(ctx, conn), s.Close())
}

func configFor(scripts, dir string) Config {
	return Config{Settings: func() (Settings, error) { return Settings{Scripts: scripts}, nil }, Dir: dir, Loader: []string{"/proc/self/exe", asLoader}, Log: hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})}
}

// attemptEscape tells on standard output what a confined process could do.
func attemptEscape() error {
	if err := confineLoader(); err != nil {
		return err
	}
	var did []string
	attempt := func(what string, err error) {
		if err == nil {
			did = append(did, what)
		}
	}
	for _, path := range []string{"/etc/shadow", "/etc/passwd", "/proc/self/mem", "/dev/null"} {
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		_ = unix.Close(fd)
		attempt("open "+path, err)
	}
	for _, family := range []int{unix.AF_INET, unix.AF_UNIX, unix.AF_NETLINK} {
		_, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		attempt("socket "+strconv.Itoa(family), err)
	}
	attempt("be root again", syscall.Setresuid(0, 0, 0))
	attempt("write a file", os.WriteFile(filepath.Join(os.TempDir(), "escaped"), nil, 0o600))
	attempt("signal its parent", unix.Kill(os.Getppid(), 0))
	attempt("look into its parent", func() error {
		_, err := unix.ProcessVMReadv(os.Getppid(), nil, nil, 0)
		return err
	}())
	attempt("signal others of nobody", unix.Kill(-1, 0))
	_, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
	attempt("start a program", err)
	attempt("become another program", syscall.Exec("/bin/true", []string{"true"}, nil))
	attempt("change the host name", unix.Sethostname([]byte("escaped")))
	attempt("trace its parent", unix.PtraceAttach(os.Getppid()))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if dumpable == 1 {
		attempt("be traced", err)
	}
	_, err = fmt.Println(strings.Join(append([]string{strconv.Itoa(os.Geteuid())}, did...), "\n"))
	return err
}

// patience is longer than anything takes here.
const patience = time.Minute

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// write writes a file below a directory.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
	return path
}

// eventually waits for a condition; what never comes true ends the test run.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}
