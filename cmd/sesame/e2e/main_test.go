//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/vishvananda/netns"

	"sesame/daemon/writable/writabletest"
)

// The exit statuses of the program.
const (
	done     = 0 // or yes
	answerNo = 1
	couldNot = 2
)

// atOnce is how many tests run side by side at least. Most of what they do is to wait.
const atOnce = 8

// daemonProgram is the program that runs as a daemon: one that looks for races, if the
// tests do.
const daemonProgram = "sesame-daemon"

// TestMain builds the program once and puts it first on the path, so that every
// test here runs it as a person does.
func TestMain(m *testing.M) {
	flag.Parse()
	if at := flag.Lookup("test.parallel"); len(at.Value.String()) == 1 && at.Value.String() < strconv.Itoa(atOnce) {
		_ = at.Value.Set(strconv.Itoa(atOnce)) // it is a number
	}
	os.Exit(testWithProgram(m))
}

func testWithProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sesame-e2e")
	if err == nil {
		defer os.RemoveAll(dir)
		err = errors.Join(os.Chmod(dir, 0o755), buildBoth(dir), writabletest.TrustOwnerOfTemp(), os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// buildBoth builds the program for people and the one for daemons. People start theirs
// hundreds of times, and to start one that looks for races takes three times as long. It
// has one goroutine to look at.
func buildBoth(dir string) error {
	if raceFlags == nil {
		return errors.Join(build(dir), os.Symlink("sesame", filepath.Join(dir, daemonProgram)))
	}
	raced := filepath.Join(dir, "raced")
	err := errors.Join(build(raced, raceFlags...), os.Rename(filepath.Join(raced, "sesame"), filepath.Join(dir, daemonProgram)))
	return errors.Join(err, build(dir))
}

// build builds the program into a directory, with these flags of go build.
func build(dir string, flags ...string) error {
	args := append(append([]string{"build", "-o", filepath.Join(dir, "sesame")}, flags...), "sesame/cmd/sesame")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// environment is ours. A program that looks for races would otherwise wait for a
// second when it ends.
func environment() []string { return append(os.Environ(), "GORACE=atexit_sleep_ms=0") }

// An ended program is what it wrote, and its exit status.
type ended struct {
	stdout, stderr string
	status         int
}

// runHere runs the program to its end in the network of the calling thread.
func runHere(t testing.TB, args ...string) ended {
	t.Helper()
	return runWith(t, nil, args...)
}

// runWith does the same with further variables of the environment.
func runWith(t testing.TB, variables []string, args ...string) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "sesame", args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, append(environment(), variables...)
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("running sesame %v: %v", args, err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// withoutDaemon gives the test a network of its own, and returns a function that runs
// the program there with a configuration file, and requires an exit status.
func withoutDaemon(t *testing.T, configuration string) func(want int, args ...string) (stdout, stderr string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace with a firewall")
	}
	// The namespace ends with the thread, and the thread with the goroutine of the test.
	runtime.LockOSThread()
	namespace, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { namespace.Close() })
	return func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		e := runHere(t, append(args, "-c", configuration)...)
		if e.status != want {
			t.Errorf("%v: exit status %d, want %d: %s", args, e.status, want, e.stderr)
		}
		return e.stdout, e.stderr
	}
}
