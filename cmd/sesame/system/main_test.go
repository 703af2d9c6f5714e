//go:build linux

// Package system turns a Debian, our program and our units into a booted machine, for tests of what
// only a real service manager shows. make system-test runs them. They need root, systemd-nspawn and
// debootstrap.
package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// asked is the variable of the environment that make system-test sets. Without it no machine is
// booted: these tests take minutes, and the first run fetches a Debian.
const asked = "SESAME_SYSTEM"

// program is where our program will be as it is released: see built. scratch is a directory that
// goes with the tests, and tree the Debian. TestMain sets all.
var program, scratch, tree string

// TestMain makes the Debian if it is missing.
func TestMain(m *testing.M) {
	if os.Getenv(asked) == "" {
		os.Exit(m.Run()) // each test skips itself
	}
	os.Exit(testWithTree(m))
}

func testWithTree(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sesame-system")
	if err == nil {
		defer os.RemoveAll(dir)
		scratch, program = dir, filepath.Join(dir, "sesame")
		err = needed()
	}
	if err == nil {
		tree, err = debian()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot boot:", err) // .ci/run looks for these words
		return 1
	}
	return m.Run()
}

// needed returns an error that names what is missing for a boot, and how to get it.
func needed() error {
	if os.Geteuid() != 0 {
		return errors.New("booting a machine needs root: sudo make system-test")
	}
	for name, from := range map[string]string{"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "nsenter": "util-linux", "ip": "iproute2"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing: apt-get install %s", name, from)
		}
	}
	return nil
}

// built builds the program as make build does, once.
var built = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "sesame/cmd/sesame")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
})
