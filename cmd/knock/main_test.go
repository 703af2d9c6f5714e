package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// noWait is for the race detector, which else lets each program wait a second at
// its end.
const noWait = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", noWait)
	testscript.Main(m, map[string]func(){"knock": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               listen,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"received": received,
		},
	})
}

// listen gives each script a TCP port that accepts, a UDP port, and a TCP port
// that refuses, as $OPEN, $UDP and $CLOSED.
func listen(env *testscript.Env) error {
	env.Setenv("GORACE", noWait)
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { open.Close() })
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { datagrams.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Values["datagrams"] = datagrams
	for name, address := range map[string]net.Addr{"OPEN": open.Addr(), "UDP": datagrams.LocalAddr(), "CLOSED": closed.Addr()} {
		_, port, err := net.SplitHostPort(address.String())
		if err != nil {
			return err
		}
		env.Setenv(name, port)
	}
	return closed.Close()
}

// received is "received COUNT": so many datagrams came, each of one zero byte.
func received(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: received COUNT")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	datagrams := ts.Value("datagrams").(net.PacketConn)
	data := make([]byte, 100)
	for range count {
		ts.Check(datagrams.SetReadDeadline(time.Now().Add(10 * time.Second)))
		n, _, err := datagrams.ReadFrom(data)
		ts.Check(err)
		if n != 1 || data[0] != 0 {
			ts.Fatalf("received %q, want one zero byte", data[:n])
		}
	}
	// Over loopback what was sent has arrived.
	ts.Check(datagrams.SetReadDeadline(time.Now().Add(time.Millisecond)))
	if n, _, err := datagrams.ReadFrom(data); err == nil {
		ts.Fatalf("received %q as well", data[:n])
	}
}

// exits is "exits STATUS PROGRAM ARGUMENT...": exec for a program that must end
// with that very status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// TestBuilds holds that the client builds where the daemon does not, and without
// a C compiler.
func TestBuilds(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, ".")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
