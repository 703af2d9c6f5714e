//go:build linux

package listing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// What this program does when its first argument says so.
const (
	asLister = "list" // what the daemon starts
	asLiar   = "lie"  // it answers what is no answer
	asMute   = "mute" // it ends at once

	asAttempt = "attempt" // it is confined, tries everything, and lets a program do the same
	asProgram = "program" // that one
)

// attempts are what must be refused.
var attempts = map[string]func(path string) error{
	"the helper": func(path string) error { return dial("unixpacket", path+"unixpacket") },
	"D-Bus":      func(path string) error { return dial("unix", path+"unix") },
	"TCP":        func(string) error { return dial("tcp", "127.0.0.1:1") },
	"UDP":        func(string) error { return dial("udp", "127.0.0.1:1") },
	"a pair of sockets": func(string) error {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return err
	},
	"packets": func(string) error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
	"devices": func(string) error {
		_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT)
		return err
	},
	"a file":       func(path string) error { return os.WriteFile(path+"new", nil, 0o600) },
	"/etc/shadow":  func(string) error { _, err := os.ReadFile("/etc/shadow"); return err },
	"ptrace":       func(string) error { return unix.PtraceAttach(os.Getppid()) },
	"a namespace":  func(string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"another user": func(string) error { return unix.Setresuid(0, 0, 0) },
}

func dial(network, address string) error {
	conn, err := net.Dial(network, address)
	if err == nil {
		_ = conn.Close() // nothing was written
	}
	return err
}

func attempt(path string) {
	for name, try := range attempts {
		if err := try(path); errors.Is(err, fs.ErrPermission) {
			fmt.Println("refused: " + name)
		} else {
			fmt.Println("not refused: "+name, err)
		}
	}
}

func TestMain(m *testing.M) {
	var err error
	switch first := append(os.Args, "", "")[1]; first {
	case asLister:
		err = errors.Join(Confine(), Serve(context.Background(), os.Stdin, os.Stdout))
	case asLiar:
		fmt.Println("hello")
		_, err = os.Stdin.Read(make([]byte, 1))
	case asMute:
	case asAttempt:
		if err = Confine(); err == nil {
			attempt(os.Args[2])
			program := exec.Command("/proc/self/exe", asProgram, os.Args[2])
			program.Stdout, program.Stderr = os.Stdout, os.Stderr
			err = program.Run()
		}
	case asProgram:
		attempt(os.Args[2])
	default:
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}
