//go:build linux

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// A machine is a Debian in a container. Its network joins it with one client, and
// with nothing else. Each boot makes the network anew, as a kernel does that starts.
type machine struct {
	*testing.T
	client  *livetest.Host
	name    string // also of its end of the link, behind "ve-"
	root    string
	cgroups []string
	console string // a file: what it prints while it boots

	nspawn *exec.Cmd // of this boot; nil: it is off
	exited chan struct{}
	leader int // its first process, as we see it
}

// machines counts them: two of them must not have one name.
var machines atomic.Int64

// newMachine returns a machine that is off. It has our program, our units and these script files,
// and the units are enabled as for a program from source. What it writes goes with the test.
func newMachine(t *testing.T, scripts map[string]string) *machine {
	t.Helper()
	m := newDebian(t)
	if err := built(); err != nil {
		t.Fatal(err)
	}
	m.install(program)
	for _, unit := range []string{"sesame.service", "sesame-guard.service", "sesame-helper.service", "sesame-helper.socket"} {
		m.copy(filepath.Join("..", "..", "..", "daemon", "systemd", unit), "/etc/systemd/system/"+unit, 0o644)
	}
	m.copy(filepath.Join("..", "..", "..", "daemon", "systemd", "sysusers.conf"), "/usr/lib/sysusers.d/sesame.conf", 0o644)
	for name, text := range scripts {
		m.write("/etc/sesame/scripts/"+name, text)
	}
	m.enable("sesame.service") // and with it the guard and the helper's socket
	return m
}

// newDebian returns a machine that is off and has nothing of ours.
func newDebian(t *testing.T) *machine {
	t.Helper()
	if os.Getenv(asked) == "" {
		t.Skip("boots a machine: make system-test")
	}
	t.Parallel()
	m := &machine{T: t, client: livetest.New(t).Client, name: fmt.Sprintf("m%dx%d", os.Getpid(), machines.Add(1))}
	m.mount()
	m.joinCgroups()
	m.console = filepath.Join(t.TempDir(), "console")
	m.configure()
	return m
}

// mount lays a directory of the test over the Debian.
func (m *machine) mount() {
	m.Helper()
	dir := m.TempDir()
	m.root = filepath.Join(dir, "root")
	for _, name := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			m.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", tree, filepath.Join(dir, "upper"), filepath.Join(dir, "work"))
	if err := syscall.Mount("overlay", m.root, "overlay", 0, options); err != nil {
		m.Fatalf("mounting %s: %v", options, err)
	}
	m.Cleanup(func() {
		if err := syscall.Unmount(m.root, syscall.MNT_DETACH); err != nil {
			m.Errorf("unmounting: %v", err)
		}
	})
}

// joinCgroups makes control groups of the machine's own, so that its service manager does not meet
// that of this machine. There are several hierarchies with version 1, and one with version 2.
func (m *machine) joinCgroups() {
	m.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		m.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if f[2] != "cgroup2" && (f[2] != "cgroup" || !strings.HasSuffix(f[1], "/systemd")) {
			continue
		}
		dir := filepath.Join(f[1], "sesame-"+m.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			m.Fatal(err)
		}
		m.cgroups = append(m.cgroups, dir)
		m.Cleanup(func() { m.removeCgroup(dir) })
	}
	if len(m.cgroups) == 0 {
		m.Fatal("no control groups are mounted here, and systemd does not boot without them")
	}
}

// removeCgroup removes a control group and those below it. Their last processes may not have ended.
func (m *machine) removeCgroup(dir string) {
	m.eventually("the control group is empty", func() bool {
		var dirs []string
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // it may have gone
		})
		for _, path := range slices.Backward(dirs) {
			_ = os.Remove(path)
		}
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// path returns where a file of the machine is here.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// write writes a file of the machine.
func (m *machine) write(name, text string) {
	m.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(m.path(name)), 0o755), os.WriteFile(m.path(name), []byte(text), 0o644)); err != nil {
		m.Fatal(err)
	}
}

// copy copies a file into the machine. The old file is there until the new one is.
func (m *machine) copy(from, name string, mode os.FileMode) {
	m.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		m.Fatal(err)
	}
	aside := m.path(name) + ".new"
	err = errors.Join(os.MkdirAll(filepath.Dir(aside), 0o755), os.WriteFile(aside, text, mode), os.Rename(aside, m.path(name)))
	if err != nil {
		m.Fatal(err)
	}
}

// install installs a program as ours.
func (m *machine) install(from string) { m.Helper(); m.copy(from, "/usr/sbin/sesame", 0o755) }

// enable does what systemctl enable does. The machine is off.
func (m *machine) enable(unit string) {
	m.Helper()
	if out, err := exec.Command("systemctl", "--root="+m.root, "enable", unit).CombinedOutput(); err != nil {
		m.Fatalf("enabling %s: %v\n%s", unit, err, out)
	}
}

// An ended program is what it wrote, and its exit status.
type ended struct {
	stdout, stderr string
	status         int
}

// try runs a program inside the machine to its end.
func (m *machine) try(argv ...string) ended {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.leader), "-a", "--"}, argv...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		m.Fatalf("running %s: %v", strings.Join(argv, " "), err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// run does the same, requires that all is well, and returns what the program printed.
func (m *machine) run(argv ...string) string {
	m.Helper()
	e := m.try(argv...)
	if e.status != 0 {
		m.Fatalf("%s: exit status %d\n%s%s", strings.Join(argv, " "), e.status, e.stdout, e.stderr)
	}
	return e.stdout
}

// property returns what the service manager says of a unit.
func (m *machine) property(unit, name string) string {
	m.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "--value", "--property="+name, unit))
}

// number returns a property that is a number.
func (m *machine) number(unit, name string) int {
	m.Helper()
	n, err := strconv.Atoi(m.property(unit, name))
	if err != nil {
		m.Fatalf("%s of %s: %v", name, unit, err)
	}
	return n
}

// journal returns the lines of a unit since the boot.
func (m *machine) journal(unit string) string {
	m.Helper()
	return m.run("journalctl", "--boot", "--no-pager", "--output=cat", "--unit="+unit)
}

// patience is how long what must happen is waited for, on a machine that has much else to do.
const patience = 2 * time.Minute

// eventually waits for a condition.
func (m *machine) eventually(what string, condition func() bool) {
	m.Helper()
	for deadline := time.Now().Add(patience); !condition(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.Fatalf("not in %v: %s", patience, what)
		}
	}
}
