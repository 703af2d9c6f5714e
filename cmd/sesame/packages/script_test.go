//go:build linux

package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A target is a directory that the scripts of the packages take for the root of a machine, with
// programs that write down how they were called.
type target struct {
	*testing.T
	root, programs string
	environment    []string
}

// newTarget returns a machine that has systemd, and Debian's programs for it where debian is true.
// The scripts find no other programs than these.
func newTarget(t *testing.T, debian bool) *target {
	t.Helper()
	m := &target{T: t, root: filepath.Join(t.TempDir(), "root"), programs: filepath.Join(t.TempDir(), "programs")}
	m.environment = []string{"PATH=" + m.programs, "DPKG_ROOT=" + m.root}
	for _, dir := range []string{m.programs, m.root + "/run/systemd/system", m.root + "/etc/sesame", m.root + "/usr/sbin"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"cat", "rm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	// systemctl keeps whether the daemon runs in a file.
	systemctl := `case "$*" in
		*is-active*) [ -e "$root/active" ]; exit;;
		*"restart sesame.service"*) [ ! -e "$root/fails" ] || rm -f "$root/active";;
		*"stop sesame.service"*) rm -f "$root/active";;
		esac`
	m.program("systemctl", systemctl)
	m.program("stat", `echo 1:2`) // "/" is the root of the first process
	m.program("getent", `[ -e "$root/user" ]`)
	m.program("useradd", `: >"$root/user"`)
	m.program("groupadd", ``)
	if debian {
		m.environment = append(m.environment, "DPKG_MAINTSCRIPT_PACKAGE=sesame")
		m.program("deb-systemd-invoke", systemctl)
		m.program("deb-systemd-helper", `case "$*" in
		debian-installed*) [ -e "$root/known" ];;
		*was-enabled*) [ -e "$root/enabled" ];;
		esac`)
		m.program("systemd-sysusers", `: >"$root/user"`)
	}
	m.sesame(`echo "removed; no longer shut by sesame: tcp/22"`)
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

// sesame makes the program of the package.
func (m *target) sesame(does string) {
	m.Helper()
	m.program("sesame", does)
	if err := os.Rename(filepath.Join(m.programs, "sesame"), m.root+"/usr/sbin/sesame"); err != nil {
		m.Fatal(err)
	}
}

// has makes empty files of the machine.
func (m *target) has(names ...string) {
	m.Helper()
	for _, name := range names {
		path := filepath.Join(m.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			m.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			m.Fatal(err)
		}
	}
}

// run runs a script of the packages. It returns what it prints, what it called, and whether it
// succeeded.
func (m *target) run(script string, args ...string) (printed string, calls []string, succeeded bool) {
	m.Helper()
	shell := "/bin/sh"
	if path, err := exec.LookPath("dash"); err == nil {
		shell = path
	}
	cmd := exec.CommandContext(m.Context(), shell, append([]string{filepath.Join(checkout, ".ci/packages", script)}, args...)...)
	cmd.Env = m.environment
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

// actions are calls that start, stop or enable something.
var actions = []string{" start ", "restart ", " stop ", " enable", " disable", "preset", "firewall"}

func TestScripts(t *testing.T) {
	units := "sesame.service sesame-guard.service sesame-helper.socket"
	for _, test := range []struct {
		name   string
		debian bool
		steps  []call
	}{
		{"dpkg installs it", true, []call{{
			script: "after-install", args: "configure", calls: []string{"systemd-sysusers", "update-state sesame.service", "daemon-reload"}, never: actions,
			prints: []string{"No port is closed, and no service runs", "sudo sesame init /etc/sesame/scripts", "sudo sesame import knockd --check FILE"},
		}}},
		{"knockd is there", true, []call{{
			script: "after-install", args: "configure", has: []string{"etc/knockd.conf"}, never: actions, prints: []string{"sudo sesame import knockd --check /etc/knockd.conf"},
		}}},
		{"rpm installs it", false, []call{{
			script: "after-install", args: "1", calls: []string{"groupadd --prefix ", "useradd --prefix ", "daemon-reload"}, never: actions, prints: []string{"No port is closed"},
		}}},
		{"the user is there", false, []call{{script: "after-install", args: "1", has: []string{"user"}, never: []string{"useradd", "groupadd"}, prints: []string{"No port"}}}},
		{"units of an installation from source", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"etc/systemd/system/sesame.service"}, prints: []string{"/etc/systemd/system/sesame.service hides the unit"},
		}}},
		{"an upgrade of what does not run", true, []call{
			{script: "before-remove", args: "upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-remove", args: "upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-install", args: "configure 1.0", silent: true, calls: []string{"daemon-reload", "is-active"}, never: actions},
		}},
		{"an upgrade of what runs", true, []call{
			{script: "before-remove", args: "upgrade 1.1", has: []string{"active"}, silent: true, never: []string{""}},
			{script: "after-install", args: "configure 1.0", silent: true, calls: []string{"daemon-reload", "deb-systemd-invoke try-restart sesame.service", "is-active"}, never: []string{"firewall", " stop"}},
		}},
		{"an upgrade by rpm", false, []call{
			{script: "after-install", args: "2", has: []string{"active"}, silent: true, calls: []string{"daemon-reload", "systemctl try-restart sesame.service"}},
			{script: "before-remove", args: "1", silent: true, never: []string{""}},
			{script: "after-remove", args: "1", silent: true, never: []string{""}},
		}},
		{"the new version does not start", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"active", "fails"}, fails: true, prints: []string{"does not start with this version", "journalctl -u sesame"},
		}}},
		{"the new version does not start, by rpm", false, []call{{
			script: "after-install", args: "2", has: []string{"active", "fails"}, prints: []string{"does not start with this version"},
		}}},
		{"a new version has a unit with more links", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"known", "enabled"}, silent: true, calls: []string{"deb-systemd-helper enable sesame.service", "update-state sesame.service"},
		}}},
		{"somebody disabled it", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"known"}, silent: true, calls: []string{"update-state"}, never: []string{"helper enable"},
		}}},
		{"an upgrade that dpkg takes back", true, []call{
			{script: "after-install", args: "abort-upgrade 1.1", has: []string{"active"}, silent: true, never: actions},
			{script: "after-install", args: "abort-remove", silent: true, never: actions},
			{script: "after-install", args: "abort-deconfigure in-favour x 1", silent: true, never: actions},
			{script: "before-remove", args: "deconfigure in-favour x 1", silent: true, never: []string{""}},
			{script: "before-remove", args: "failed-upgrade 1.0", silent: true, never: []string{""}},
			{script: "after-remove", args: "abort-install", silent: true, never: []string{""}},
			{script: "after-remove", args: "abort-upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-remove", args: "failed-upgrade 1.0", silent: true, never: []string{""}},
			{script: "after-remove", args: "disappear x 1", silent: true, never: []string{""}},
		}},
		{"dpkg removes it", true, []call{
			{
				script: "before-remove", args: "remove", has: []string{"active"}, prints: []string{"sesame: removed; no longer shut by sesame: tcp/22\n"},
				calls: []string{"deb-systemd-invoke stop sesame.service", "deb-systemd-invoke stop sesame-helper.socket", "sesame firewall remove", "deb-systemd-helper disable " + units},
			},
			{script: "after-remove", args: "remove", silent: true, calls: []string{"systemctl --system daemon-reload"}},
		}},
		{"rpm erases it", false, []call{
			{
				script: "before-remove", args: "0", has: []string{"active"}, prints: []string{"tcp/22"},
				calls: []string{"systemctl --quiet stop sesame.service", "sesame firewall remove", "systemctl --quiet --no-reload disable " + units},
			},
			{script: "after-remove", args: "0", silent: true, calls: []string{"daemon-reload"}},
		}},
		{"arguments that nobody knows", true, []call{
			{script: "after-install", args: "begin", fails: true, prints: []string{"sesame: after-install: unknown argument 'begin'"}},
			{script: "before-remove", args: "begin", fails: true, prints: []string{"before-remove: unknown argument 'begin'"}},
			{script: "after-remove", args: "begin", fails: true, prints: []string{"after-remove: unknown argument 'begin'"}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newTarget(t, test.debian)
			for _, step := range test.steps {
				m.expect(step)
			}
		})
	}
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

// Removing it never leaves a guard that nobody can knock at, and never opens the ports of the
// machine around a chroot.
func TestRemovalAndTheGuard(t *testing.T) {
	t.Run("a daemon that somebody started by hand", func(t *testing.T) {
		m := newTarget(t, true)
		m.sesame(`echo "sesame: a sesame, process 7, guards this network: stop it first" >&2; exit 2`)
		m.expect(call{script: "before-remove", args: "remove", fails: true, prints: []string{"process 7", "sesame: not removed"}, never: []string{"disable"}})
	})
	t.Run("the table cannot be removed", func(t *testing.T) {
		m := newTarget(t, true)
		m.sesame(`echo "sesame: the kernel is busy" >&2; exit 2`)
		m.expect(call{script: "before-remove", args: "remove", calls: []string{"disable"}, prints: []string{"the kernel is busy", "nft delete table inet sesame"}})
	})
	t.Run("a container without rights", func(t *testing.T) {
		m := newTarget(t, true)
		m.sesame(`echo "sesame: removing the table: operation not permitted" >&2; exit 2`)
		printed, _, succeeded := m.run("before-remove", "remove")
		if !succeeded || strings.Contains(printed, "nft delete") {
			t.Errorf("succeeded is %v:\n%s", succeeded, printed)
		}
	})
	t.Run("a chroot", func(t *testing.T) {
		m := newTarget(t, true)
		m.program("stat", `case "$*" in */proc/1/root) echo 1:2;; *) echo 1:3;; esac`)
		m.expect(call{script: "before-remove", args: "remove", silent: true, never: []string{"firewall"}, calls: []string{"disable"}})
	})
	t.Run("a chroot without /proc", func(t *testing.T) {
		m := newTarget(t, true)
		m.program("stat", `case "$*" in */proc/1/root) exit 1;; *) echo 1:2;; esac`)
		m.expect(call{script: "before-remove", args: "remove", silent: true, never: []string{"firewall"}, calls: []string{"disable"}})
	})
	t.Run("no systemd runs", func(t *testing.T) {
		m := newTarget(t, true)
		if err := os.RemoveAll(m.root + "/run"); err != nil {
			t.Fatal(err)
		}
		m.expect(call{script: "after-install", args: "configure", never: append([]string{"systemctl"}, actions...), prints: []string{"Sesame is installed"}})
		m.expect(call{script: "before-remove", args: "remove", calls: []string{"firewall remove", "disable"}, never: []string{" stop ", "systemctl "}})
		m.expect(call{script: "after-remove", args: "remove", silent: true, never: []string{"systemctl"}})
	})
	t.Run("an rpm on Debian", func(t *testing.T) {
		m := newTarget(t, true)
		m.environment = m.environment[:2]
		m.expect(call{script: "after-install", args: "2", has: []string{"active"}, silent: true, calls: []string{"systemctl try-restart"}, never: []string{"deb-"}})
		m.expect(call{script: "before-remove", args: "0", calls: []string{"systemctl --quiet stop", "firewall remove", "systemctl --quiet --no-reload disable"}, never: []string{"deb-"}})
	})
	t.Run("the program is gone", func(t *testing.T) {
		m := newTarget(t, true)
		if err := os.Remove(m.root + "/usr/sbin/sesame"); err != nil {
			t.Fatal(err)
		}
		m.expect(call{script: "before-remove", args: "remove", silent: true, calls: []string{"stop", "disable"}})
	})
}

// A purge deletes what is Sesame's, and nothing beside it.
func TestPurge(t *testing.T) {
	m := newTarget(t, true)
	ours := []string{"etc/sesame/scripts/ssh.lua", "var/lib/sesame/journal", "var/lib/sesame-helper/journal", "var/log/sesame/knockd.log", "run/sesame/lock",
		"etc/systemd/system/sesame.service.d/override.conf", "etc/systemd/system/sesame-helper.socket.d/override.conf"}
	others := []string{"etc/sesame.d/x", "var/lib/sesames", "var/log/knockd.log", "etc/systemd/system/sesame.service", "etc/systemd/system/ssh.service.d/x", "user"}
	m.has(ours...)
	m.has(others...)
	m.expect(call{script: "after-remove", args: "purge", calls: []string{"deb-systemd-helper purge sesame.service sesame-guard.service sesame-helper.socket"},
		prints: []string{"sesame: deleted /etc/sesame /var/lib/sesame /var/lib/sesame-helper /var/log/sesame /run/sesame\n", "userdel sesame"}})
	for _, name := range ours {
		for path := name; strings.Contains(path, "sesame"); path = filepath.Dir(path) {
			if _, err := os.Lstat(filepath.Join(m.root, path)); err == nil {
				t.Errorf("%s is left", path)
			}
		}
	}
	for _, name := range others {
		if _, err := os.Lstat(filepath.Join(m.root, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(m.root + "/user"); err != nil {
		t.Fatal(err)
	}
	m.expect(call{script: "after-remove", args: "purge", silent: true}) // again, and nothing is left to say
}

// TestRealShellcheck looks for what not every shell takes.
func TestRealShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not here: the scripts are not looked at")
	}
	dir := checkout + "/.ci/packages/"
	run(t, "shellcheck", "-s", "sh", dir+"after-install", dir+"before-remove", dir+"after-remove")
	run(t, "shellcheck", dir+"build", dir+"version")
}
