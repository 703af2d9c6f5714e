//go:build linux

package packages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A target is a directory that the scripts of the packages take for the root of a machine, with
// programs that write down how they were called. It takes no root to run them.
type target struct {
	*testing.T
	root, programs string
	environment    []string
	chrootless     bool // the directory is an image's, and dpkg names it in DPKG_ROOT
}

// newTarget returns a machine that has systemd, and Debian's programs for it where debian is true.
// The scripts find no other programs than these.
func newTarget(t *testing.T, debian bool) *target {
	t.Helper()
	m := &target{T: t, root: filepath.Join(t.TempDir(), "root"), programs: filepath.Join(t.TempDir(), "programs")}
	m.environment = []string{"PATH=" + m.programs}
	for _, dir := range []string{m.programs, m.root + "/run/systemd/system", m.root + "/usr/sbin"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cat", "grep", "rm", "sed"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	// systemctl keeps the state of the daemon as the name of a file. Each start makes the file
	// invocation longer.
	systemctl := `
		for state in active reloading activating failed inactive; do [ ! -e "$root/$state" ] || break; done
		case "$*" in
		*is-active*) case "$*" in *--quiet*) ;; *) echo "$state";; esac; [ "$state" = active ]; exit;;
		*InvocationID*) [ ! -e "$root/invocation" ] || cat "$root/invocation"; exit;;
		*is-enabled*) [ -e "$root/enabled" ]; exit;;
		*try-restart*) case "$state" in failed | inactive) exit;; esac;;
		*"restart "* | *" start "*) ;;
		*"stop sesame.service"*) rm -f "$root/$state"; exit;;
		*) exit;;
		esac
		rm -f "$root/$state"
		[ ! -e "$root/refused" ] || exit 1
		[ ! -e "$root/unmet" ] || exit 0 # a condition of the unit
		echo 1 >>"$root/invocation"
		if [ -e "$root/fails" ]; then : >"$root/activating"; exit 1; else : >"$root/active"; fi`
	m.program("systemctl", systemctl)
	m.program("stat", `echo 1:2`) // "/" is the root of the first process
	m.program("getent", `grep -q ^sesame: "$root/etc/passwd"`)
	m.program("useradd", `echo sesame:x: >>"$root/etc/passwd"`)
	m.program("groupadd", ``)
	if debian {
		m.environment = append(m.environment, "DPKG_MAINTSCRIPT_PACKAGE=sesame")
		m.program("deb-systemd-invoke", `[ ! -e "$root/forbidden" ] || exit 0 # by policy-rc.d`+systemctl)
		m.program("deb-systemd-helper", `case "$*" in
		debian-installed*) [ -e "$root/known" ];;
		*was-enabled*) [ -e "$root/enabled" ];;
		esac`)
		m.program("systemd-sysusers", `echo sesame:x: >>"$root/etc/passwd"`)
	}
	m.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
	m.write("etc/group", "root:x:0:\n")
	m.sesame(`echo "no undo command is pending"`, `echo "removed; no longer shut by sesame: tcp/22"`)
	return m
}

// program makes a program that writes its call into the file calls, and then does what it is for.
func (m *target) program(name, does string) {
	m.Helper()
	text := fmt.Sprintf("#!/bin/sh\nroot='%s'\necho \"%s $*\" >>\"$root/calls\"\n%s\n", m.root, name, does)
	if err := os.WriteFile(filepath.Join(m.programs, name), []byte(text), 0o755); err != nil {
		m.Fatal(err)
	}
}

// sesame makes the program of the package, with what it does for two of its commands.
func (m *target) sesame(settle, remove string) {
	m.Helper()
	m.program("sesame", fmt.Sprintf(`case "$*" in "helper --settle"*) %s;; "firewall remove") %s;; *) exit 2;; esac`, settle, remove))
	if err := os.Rename(filepath.Join(m.programs, "sesame"), m.root+"/usr/sbin/sesame"); err != nil {
		m.Fatal(err)
	}
}

// has makes empty files of the machine.
func (m *target) has(names ...string) {
	m.Helper()
	for _, name := range names {
		m.write(name, "")
	}
}

// write writes a file of the machine.
func (m *target) write(name, text string) {
	m.Helper()
	path := filepath.Join(m.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		m.Fatal(err)
	}
}

// given is the line of the scripts that says where the root is.
const given = "root=${DPKG_ROOT:-}\n"

// script returns a script of the packages as it runs on this machine. With DPKG_ROOT it is as it is
// shipped. Else the directory stands for "/", of a machine that runs: that is written into a copy.
func (m *target) script(name string) (path string) {
	m.Helper()
	path = filepath.Join(checkout, ".ci/packages", name)
	if m.chrootless {
		return path
	}
	text, err := os.ReadFile(path)
	if err != nil {
		m.Fatal(err)
	}
	if n := strings.Count(string(text), given); n != 1 {
		m.Fatalf("%s says %d times %q: expected once", name, n, given)
	}
	path = filepath.Join(m.TempDir(), name)
	text = []byte(strings.Replace(string(text), given, "root='"+m.root+"'\n", 1))
	if err := os.WriteFile(path, text, 0o755); err != nil {
		m.Fatal(err)
	}
	return path
}

// run runs a script of the packages. It returns what it prints, what it called, and whether it
// succeeded.
func (m *target) run(script string, args ...string) (printed string, calls []string, succeeded bool) {
	m.Helper()
	shell := "/bin/sh"
	if path, err := exec.LookPath("dash"); err == nil {
		shell = path
	}
	cmd := exec.CommandContext(m.Context(), shell, append([]string{m.script(script)}, args...)...)
	cmd.Env = m.environment
	if m.chrootless {
		cmd.Env = append([]string{"DPKG_ROOT=" + m.root}, m.environment...)
	}
	out, err := cmd.CombinedOutput()
	text, _ := os.ReadFile(m.root + "/calls")
	_ = os.Remove(m.root + "/calls")
	for call := range strings.Lines(string(text)) {
		calls = append(calls, strings.TrimSpace(call))
	}
	return string(out), calls, err == nil
}

// A call is one run of a script, and what is expected of it.
type call struct {
	script, args string
	has          []string // files that are made before
	calls        []string // parts of calls, in their order
	never        []string // parts of calls
	prints       []string
	silent       bool // it prints nothing
	fails        bool
}

// expect makes the files, runs the script and compares what it does.
func (m *target) expect(c call) {
	m.Helper()
	m.has(c.has...)
	printed, calls, succeeded := m.run(c.script, strings.Fields(c.args)...)
	what := c.script + " " + c.args
	if succeeded == c.fails {
		m.Errorf("%s: succeeded is %v:\n%s", what, succeeded, printed)
	}
	if c.silent && printed != "" {
		m.Errorf("%s prints\n%s", what, printed)
	}
	if strings.Contains(printed, "sesame: sesame: ") {
		m.Errorf("%s prints its name twice:\n%s", what, printed)
	}
	for _, part := range c.prints {
		if !strings.Contains(printed, part) {
			m.Errorf("%s does not print %q:\n%s", what, part, printed)
		}
	}
	rest := strings.Join(calls, "\n")
	for _, part := range c.never {
		if rest != "" && strings.Contains(rest, part) {
			m.Errorf("%s calls %q:\n%s", what, part, rest)
		}
	}
	for _, part := range c.calls {
		_, after, found := strings.Cut(rest, part)
		if !found {
			m.Errorf("%s does not call %q, or earlier:\n%s", what, part, strings.Join(calls, "\n"))
		}
		rest = after
	}
}
