package confine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		report Report
		want   string
	}{
		{Report{Held: []string{"files (Landlock 7)", "system calls"}}, "files (Landlock 7), system calls"},
		{Report{Held: []string{"system calls"}, Missing: []error{fmt.Errorf("files: %w", errNoLandlock)}}, "system calls; not files: " + errNoLandlock.Error()},
		{Report{Missing: []error{errors.New("files: a"), errors.New("system calls: b")}}, "nothing; not files: a; not system calls: b"},
	} {
		if got := tt.report.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestAround(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(dir+"/real/below", 0o755), os.WriteFile(dir+"/real/below/list", nil, 0o600),
		os.Mkdir(dir+"/here", 0o755), os.Symlink("../real/below/list", dir+"/here/list"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"/etc/sesame/scripts":   {"/etc/sesame"},
		"/etc/knock.lua":        {"/etc/knock.lua"},
		"/etc/./a/../knock.lua": {"/etc/knock.lua"},
		"/scripts":              {"/scripts"},
		"/var/lib/sesame":       {"/var/lib/sesame"},
		"/home/ann/doors.lua":   {"/home/ann/doors.lua"},
		"/home/ann/sesame/a":    {"/home/ann/sesame"},
		dir + "/here/list":      {dir + "/here", dir + "/real/below"},
	} {
		if got := Around(path); !slices.Equal(got, want) {
			t.Errorf("around %s: %q, want %q", path, got, want)
		}
	}
}

// TestCalls compares the list with the tables of all architectures: each call is in one of them,
// and what must never be allowed is not in the list.
func TestCalls(t *testing.T) {
	machines := []*arch.Info{arch.X86_64, arch.AARCH64, arch.ARM, arch.I386}
	for _, name := range allowed {
		if !slices.ContainsFunc(machines, func(m *arch.Info) bool { return has(m, name) }) {
			t.Errorf("no architecture has the call %s", name)
		}
	}
	// Without these Go's runtime ends the program, or a file cannot be opened.
	for _, machine := range machines {
		for _, name := range []string{"futex", "read", "write", "rt_sigreturn", "epoll_ctl", "exit_group", "sigaltstack", "close"} {
			if !has(machine, name) || !slices.Contains(allowed, name) {
				t.Errorf("%s: %s is not allowed", machine.Name, name)
			}
		}
	}
	for _, name := range []string{
		"execve", "execveat", "ptrace", "setuid", "fork", "vfork", "clone3", "truncate", "io_uring_setup", "memfd_create", "openat", "openat2", "chmod", "fchmod", "fchmodat", "mkdirat", "sendto", "mknodat",
		"symlinkat", "link", "linkat", "listen", "socket", "socketpair", "mprotect", "mmap", "prctl", "capset", "unshare", "setns", "bpf",
	} {
		if slices.Contains(allowed, name) {
			t.Errorf("%s is allowed with any argument", name)
		}
	}
}

// TestRealWithoutLandlock has the filter of a kernel that cannot limit TCP to a port.
func TestRealWithoutLandlock(t *testing.T) {
	if os.Getenv("SESAME_TEST_NO_LANDLOCK") != "" {
		err := filterCalls(sockets{})
		_, tcp := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		udp, udpError := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		_ = unix.Close(udp)
		if err != nil || !errors.Is(tcp, unix.EPERM) || udpError != nil {
			t.Error(err, tcp, udpError)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealWithoutLandlock$")
	cmd.Env, cmd.Dir = append(os.Environ(), "SESAME_TEST_NO_LANDLOCK=1"), filepath.Clean("/")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
