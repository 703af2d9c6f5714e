package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sesame/daemon/writable/writabletest"
	"sesame/simulate/pcaptest"
)

func TestMain(m *testing.M) {
	// The last one is how a command starts this program again, as /proc/self/exe.
	testscript.Main(m, map[string]func(){"sesame": main, "pcap": makeCapture, "relink": relink, "exe": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each program under the race detector ends a second late
			err := writabletest.TrustOwnerOfTemp()
			env.Setenv("SUDO_UID", os.Getenv("SUDO_UID"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "daemon": fakeDaemon},
	})
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

// makeCapture is the program "pcap CAPTURE LINES [CUT]": it makes a capture of a
// file of lines, and leaves out its last bytes.
func makeCapture() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "pcap:", err)
			os.Exit(1)
		}
	}
	lines, err := os.ReadFile(os.Args[2])
	fail(err)
	data, err := pcaptest.Capture(string(lines))
	fail(err)
	if len(os.Args) > 3 {
		cut, err := strconv.Atoi(os.Args[3])
		fail(err)
		data = data[:len(data)-cut]
	}
	fail(os.WriteFile(os.Args[1], data, 0o600))
}

// relink is the program "relink NEW CAPTURE TYPE": it copies a capture, with another link type.
func relink() {
	data, err := os.ReadFile(os.Args[2])
	link, wrong := strconv.Atoi(os.Args[3])
	if err = errors.Join(err, wrong); err == nil {
		const atLink = 20
		binary.LittleEndian.PutUint32(data[atLink:], uint32(link))
		err = os.WriteFile(os.Args[1], data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "relink:", err)
		os.Exit(1)
	}
}
