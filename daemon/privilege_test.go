package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

const (
	netRawAndAdmin     = "0000000000003000"
	killNetRawAndAdmin = "0000000000003020"
)

// TestRealPrivileges drops them in processes of its own, and looks at every thread.
func TestRealPrivileges(t *testing.T) {
	if os.Getenv(confinementName) != "" {
		dropHere(t, os.Getenv(confinementName) == "commands")
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: nothing to drop")
	}
	all := bounds(t)
	for _, tt := range []struct {
		name     string
		commands bool
		user     int
		ambient  []uintptr
		want     string // what it keeps, in words
		threads  string // permitted, effective, bounding, no_new_privs
		programs string // effective, of a program that is started
	}{
		{"root without commands", false, 0, nil, "CAP_NET_RAW and CAP_NET_ADMIN, to capture knocks and open ports; no script had commands at the start, and no program can get more",
			threads(netRawAndAdmin, netRawAndAdmin, "1"), netRawAndAdmin},
		{"root with commands", true, 0, nil, "CAP_KILL, CAP_NET_RAW and CAP_NET_ADMIN, to capture knocks, open ports and end commands; commands of scripts run as root with ",
			threads(killNetRawAndAdmin, all, "0"), all},
		{"a user without commands", false, 65534, []uintptr{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_DAC_READ_SEARCH}, "CAP_NET_RAW and CAP_NET_ADMIN, to capture knocks and open ports; no script had commands at the start, and no program can get more",
			threads(netRawAndAdmin, all, "1"), strings.Repeat("0", 16)},
		{"a user with commands", true, 65534, []uintptr{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_DAC_READ_SEARCH}, "CAP_NET_RAW and CAP_NET_ADMIN, to capture knocks, open ports and end commands; commands of scripts run as user 65534",
			threads(netRawAndAdmin, all, "0"), netRawAndAdmin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := confined(t, tt.commands, tt.user, tt.ambient)
			for _, want := range []string{"kept: " + tt.want, "packet socket: <nil>", "chroot: operation not permitted", "threads: " + tt.threads, "programs: " + tt.programs} {
				if !strings.Contains(out, want) {
					t.Errorf("expected the line %q in\n%s", want, out)
				}
			}
		})
	}
	t.Run("a user without capabilities", func(t *testing.T) {
		out := confined(t, false, 65534, []uintptr{unix.CAP_DAC_READ_SEARCH})
		want := regexp.MustCompile(`refused: user 65534 has no CAP_NET_RAW and CAP_NET_ADMIN, which .*: run as root, or "setcap cap_net_raw,cap_net_admin\+ep /.*", or add the line AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN to the unit\n`)
		if !want.MatchString(out) {
			t.Errorf("it is told\n%s", out)
		}
	})
	t.Run("a user with one of them", func(t *testing.T) {
		if out := confined(t, false, 65534, []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_NET_ADMIN}); !strings.Contains(out, "refused: user 65534 has no CAP_NET_RAW, which") {
			t.Errorf("it is told\n%s", out)
		}
	})
}

const confinementName = "SESAME_TEST_CONFINEMENT"

func threads(have, bounding, noNewPrivileges string) string {
	return strings.Join([]string{have, have, bounding, noNewPrivileges}, " ")
}

// bounds returns the bounding set of this process, which is that of its children.
func bounds(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	return field(string(status), "CapBnd")
}

// confined runs dropHere in a process of its own, and returns what it says.
func confined(t *testing.T, commands bool, user int, ambient []uintptr) string {
	t.Helper()
	// Another user may not look into the directory that this program is in.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestRealPrivileges$", "-test.v")
	cmd.Env = append(os.Environ(), confinementName+"="+map[bool]string{true: "commands", false: "none"}[commands])
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: ambient}
	if user != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// dropHere drops the privileges of this process, and returns what it can do then.
func dropHere(t *testing.T, commands bool) {
	var ready, end sync.WaitGroup
	end.Add(1)
	for range 8 { // threads that were there before
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			end.Wait()
		}()
	}
	ready.Wait()
	defer end.Done()
	kept, err := "", checkPrivileges()
	if err == nil {
		kept, err = dropPrivileges(commands)
	}
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	fmt.Println("kept:", kept)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	fmt.Println("packet socket:", err)
	_ = unix.Close(fd)
	fmt.Println("chroot:", unix.Chroot("/"))
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d threads, %v: expected eight and more", len(paths), err)
	}
	all := map[string]bool{}
	for _, path := range paths {
		status, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		all[strings.Join([]string{field(string(status), "CapPrm"), field(string(status), "CapEff"), field(string(status), "CapBnd"), field(string(status), "NoNewPrivs")}, " ")] = true
	}
	for one := range all {
		fmt.Println("threads:", one)
	}
	if len(all) != 1 {
		t.Error("the threads differ")
	}
	status, err := exec.CommandContext(t.Context(), "cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("programs:", field(string(status), "CapEff"))
}

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// TestNoMore says when a refused capset(2) does not matter.
func TestNoMore(t *testing.T) {
	for _, tt := range []struct {
		name string
		have []cap.Value
		want bool
	}{
		{"none", nil, true},
		{"one of them", []cap.Value{cap.NET_RAW}, true},
		{"both", needed, true},
		{"a third", append([]cap.Value{cap.SETUID}, needed...), false},
		{"another", []cap.Value{cap.CHOWN}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have := cap.NewSet()
			if err := have.SetFlag(cap.Permitted, true, tt.have...); err != nil {
				t.Fatal(err)
			}
			if got := noMore(have, needed); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
