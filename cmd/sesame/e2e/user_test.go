//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// serviceUser and serviceGroup are those of the user sesame, whom only the daemons of these tests
// know.
const serviceUser, serviceGroup = 990, 991

// withAccounts lets daemons run on a machine with these users and groups, in the forms of passwd(5)
// and group(5), in place of a user sesame of this one.
func (w *world) withAccounts(users, groups string) {
	w.Helper()
	if err := os.Chmod(filepath.Dir(w.dir), 0o755); err != nil { // which only root may enter
		w.Fatal(err)
	}
	for name, more := range map[string]string{"passwd": users, "group": groups} {
		text, err := os.ReadFile("/etc/" + name)
		if err == nil {
			text = regexp.MustCompile("(?m)^sesame:.*\n").ReplaceAll(text, nil)
			err = os.WriteFile(w.path(name), append(text, more...), 0o644)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	const script = `mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"`
	w.within = []string{"unshare", "--mount", "sh", "-c", script, w.dir}
}

// withService lets daemons run on a machine that has the user sesame.
func (w *world) withService() {
	w.Helper()
	w.withAccounts(fmt.Sprintf("sesame:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", serviceUser, serviceGroup),
		fmt.Sprintf("sesame:x:%d:\nlists:x:992:sesame\n", serviceGroup))
}

// threads returns a line for each different state of the daemon's threads: its users, groups,
// capabilities and whether it can get more.
func (w *world) threads() (all []string) {
	w.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", w.daemon.cmd.Process.Pid))
	if err != nil || len(paths) < 2 {
		w.Fatalf("%d threads, %v", len(paths), err)
	}
	seen := map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		line := statusFields(string(text), "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
		if !seen[line] {
			seen[line] = true
			all = append(all, line)
		}
	}
	return all
}

// statusFields returns fields of a text as in proc_pid_status(5).
func statusFields(text string, names ...string) string {
	var found []string
	for _, name := range names {
		_, rest, _ := strings.Cut(text, "\n"+name+":")
		value, _, _ := strings.Cut(rest, "\n")
		found = append(found, name+" "+strings.Join(strings.Fields(value), " "))
	}
	return strings.Join(found, ", ")
}

// children returns the users of the processes that the daemon has started and that run, but for the
// one that lists rules of other firewalls.
func (w *world) children() (users []string) {
	w.Helper()
	paths, _ := filepath.Glob("/proc/[0-9]*/status")
	parent, lister := fmt.Sprint("PPid ", w.daemon.cmd.Process.Pid), fmt.Sprintf("/proc/%d/status", w.lister())
	for _, path := range paths {
		if path == lister {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil && statusFields(string(text), "PPid") == parent && !strings.Contains(string(text), "\nState:\tZ") {
			users = append(users, statusFields(string(text), "Uid"))
		}
	}
	return users
}

const (
	netRawAndAdmin = "0000000000003000"
	noCapabilities = "0000000000000000"
)

// belongs checks the owner of a file.
func (w *world) belongs(path string, user, group uint32) {
	w.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		w.Error(err)
		return
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != user || stat.Gid != group {
		w.Errorf("%s belongs to %d:%d, want %d:%d", path, stat.Uid, stat.Gid, user, group)
	}
}

// TestRealLeavesRoot starts a daemon as root on a machine that has the user sesame. It takes over
// what root's daemon left, and opens doors as that user.
func TestRealLeavesRoot(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.outside("sesame.toml", "[log]\nknockd = \"log/knockd.log\"\n")
	if err := os.Mkdir(w.path("log"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.path("sesame.toml"), 0o600); err != nil { // only root can read it
		t.Fatal(err)
	}
	w.flags = []string{"-c", w.path("sesame.toml")}

	t.Log("# there is no user sesame")
	w.start()
	contains(t, w.log(), "[WARN]  it runs as root, since ", "there is no user sesame: make it (useradd --system sesame)")
	contains(t, w.answer("status"), "it runs as root, since there is no user sesame")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.stop()

	t.Log("# now there is")
	w.withService()
	w.start()
	want := fmt.Sprintf("Uid %[1]d %[1]d %[1]d %[1]d, Gid %[2]d %[2]d %[2]d %[2]d, Groups 992, CapInh %[4]s, CapPrm %[3]s, CapEff %[3]s, CapBnd %[3]s, CapAmb %[4]s, NoNewPrivs 1",
		serviceUser, serviceGroup, netRawAndAdmin, noCapabilities)
	if got := w.threads(); len(got) != 1 || got[0] != want {
		t.Errorf("the threads are\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	for _, name := range []string{"state", "state/journal", "state/set", "state/lock", "run", "run/socket", "run/socket.lock"} {
		w.belongs(w.path(name), serviceUser, serviceGroup)
	}
	w.belongs(w.path("log/knockd.log"), serviceUser, 0)
	w.belongs(w.path("log"), 0, 0)
	if len(w.grants()) != 1 {
		t.Errorf("grants %+v: expected that of before", w.grants())
	}
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	contains(t, w.answer("status"), "CAP_NET_RAW and CAP_NET_ADMIN")
	if strings.Contains(w.log(), "runs as root") {
		t.Error("it says that it runs as root")
	}
	w.eventually("the helper, which nothing needs, has ended", func() bool { return len(w.children()) == 0 })

	t.Log("# the socket is deleted, and a script changes")
	if err := os.Remove(w.socket); err != nil {
		t.Fatal(err)
	}
	w.eventually("the socket is there again", func() bool {
		_, err := w.client().Status(w.Context())
		return err == nil
	})
	w.write("ssh.lua", strings.Replace(longDoor, "10m", "11m", 1))
	w.logged("generation=2")
	w.nothingWrong()

	t.Log("# the log of knockd's lines is rotated, first to a file of root's")
	rotate := func(owner int) {
		err := errors.Join(os.Rename(w.path("log/knockd.log"), w.path("log/knockd.log.1")), os.WriteFile(w.path("log/knockd.log"), nil, 0o640), os.Chown(w.path("log/knockd.log"), owner, 0))
		if err != nil {
			t.Fatal(err)
		}
		w.reload()
	}
	rotate(0)
	contains(t, w.log(), "could not be opened anew", "create 640 sesame adm")
	rotate(serviceUser)
	w.nothingWrong()

	t.Log("# it is started again, after a crash and after a stop")
	w.kill()
	w.start()
	if len(w.grants()) != 1 {
		t.Errorf("grants after a crash: %+v", w.grants())
	}
	w.nothingWrong()
	if status := w.stop(); status != done {
		t.Errorf("exit status %d\n%s", status, w.log())
	}
}

// TestRealLeavesRootWithCommands starts a daemon as root whose scripts only root can read, and
// whose commands only root can run. The helper that it leaves behind does both.
func TestRealLeavesRootWithCommands(t *testing.T) {
	h := newHelped(t, "10m")
	if err := errors.Join(os.Chown(h.path("run"), 0, 0), os.Chown(h.state, 0, 0)); err != nil {
		t.Fatal(err)
	}
	h.withService()
	h.flags = append(h.flags, "-i", "server0,lo", "--local", "192.0.2.7")
	h.start()
	contains(t, h.answer("status"), "commands are run by the helper as root")
	if got := h.children(); !slices.Equal(got, []string{"Uid 0 0 0 0"}) {
		t.Errorf("children %q: expected one of root's", got)
	}
	if got := h.threads(); len(got) != 1 || !strings.Contains(got[0], "CapEff "+netRawAndAdmin) || !strings.HasPrefix(got[0], "Uid 990 990 990 990") {
		t.Errorf("threads %q", got)
	}
	h.belongs(h.state+"-helper", 0, 0)
	h.knock(sshKnocks...)
	h.opens(ssh4)
	h.wants("in_203.0.113.9_0")
	h.nothingWrong()

	t.Log("# a script changes, which only root can see")
	h.write("web.lua", strings.NewReplacer(`"ssh"`, `"web"`, "7421", "7521", "9133", "9233", "tcp/22", "tcp/80").Replace(longDoor))
	h.logged("doors=2")

	t.Log("# both are started again after a crash, and the undo is still owed")
	h.kill()
	h.start()
	h.wants("in_203.0.113.9_0")
	h.nothingWrong()

	t.Log("# both end, and the undo runs first")
	if h.stop() != done {
		t.Errorf("log:\n%s", h.log())
	}
	h.wants("in_203.0.113.9_0", "out_203.0.113.9_0")
	h.start()
	h.nothingWrong()
	h.stop()
	h.wants("in_203.0.113.9_0", "out_203.0.113.9_0")
}

// TestRealHelperOfBefore kills a daemon during a command, and starts it again at once. The helper
// of before waits for the end of the command, and that of now for the journal.
func TestRealHelperOfBefore(t *testing.T) {
	h := newHelped(t, "2s")
	script := "#!/bin/sh\necho \"$@\" \"$(id -u)\" >> " + h.path("root/ran") + "\nwhile [ ! -e " + h.path("root/go") + " ]; do sleep 0.1; done\n"
	if err := errors.Join(os.Chown(h.path("run"), 0, 0), os.Chown(h.state, 0, 0), os.WriteFile(h.program(), []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	h.withService()
	h.flags = append(h.flags, "-i", "server0,lo", "--local", "192.0.2.7")
	h.start()
	h.knock(sshKnocks...)
	h.wants("in_203.0.113.9_0")
	h.kill()
	h.start()
	contains(t, h.log(), "commands that have an undo wait for the end of an earlier helper")
	h.nothingWrong()
	h.write("web.lua", strings.NewReplacer(`"ssh"`, `"web"`, "7421", "7521", "9133", "9233", "tcp/22", "tcp/80").Replace(longDoor))
	h.logged("doors=2")
	h.outside("root/go", "")
	h.knock(sshKnocks...)
	h.eventually("both commands are undone", func() bool {
		ran := h.ran()
		return slices.Equal(ran[:1], []string{"in_203.0.113.9_0"}) && len(ran) == 4 && strings.Count(strings.Join(ran, " "), "out_") == 2
	})
	h.nothingWrong()
	h.stop()
}

// TestRealStaysRoot has machines on which root's daemon cannot, or should not, become the user that
// is there: it starts as root, and says why.
func TestRealStaysRoot(t *testing.T) {
	t.Run("its undo is pending", func(t *testing.T) {
		w := newWorld(t, map[string]string{"mount.lua": strings.Replace(mountDoor, "2s", "10m", 2)})
		w.start()
		w.knock(mountKnocks...)
		w.opens(ssh4)
		w.kill()
		w.withService()
		w.start()
		contains(t, w.answer("status"), "it runs as root, since a daemon that was root left 1 undo command, which only root can run")
		if len(w.grants()) != 2 {
			t.Errorf("grants %+v", w.grants())
		}
		w.nothingWrong()
		w.stop() // which runs the undo
		w.start()
		if got := w.threads(); !strings.HasPrefix(got[0], "Uid 990 ") {
			t.Errorf("threads %q", got)
		}
		w.stop()
	})
	for name, tt := range map[string]struct {
		prepare func(w *world) error
		why     string
	}{
		"a socket among other files": {func(w *world) error { return os.WriteFile(w.path("run/other"), nil, 0o644) }, "has other files too (other)"},
		"a helper's directory that is read-only here": {func(w *world) error {
			dir := w.path("below/state-helper")
			return errors.Join(os.Mkdir(dir, 0o700), unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, ""))
		}, "there can be no helper, which would do what takes root: access: read-only file system"},
		"no helper can be": {func(w *world) error { return os.Chown(w.path("below"), 12345, 12345) }, "there can be no helper, which would do what takes root: others can change"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, map[string]string{"ssh.lua": longDoor})
			w.state = w.path("below/state")
			t.Cleanup(func() { _ = unix.Unmount(w.path("below/state-helper"), unix.MNT_DETACH) }) // most have none
			if err := errors.Join(os.MkdirAll(w.state, 0o700), os.Mkdir(w.path("run"), 0o755), tt.prepare(w)); err != nil {
				t.Fatal(err)
			}
			w.withService()
			w.start()
			contains(t, w.answer("status"), "it runs as root, since", tt.why)
			w.belongs(w.state, 0, 0)
			w.belongs(w.path("run"), 0, 0)
			w.stop()

			w.outside("sesame.toml", "user = \"nosuchuser\"\n")
			w.flags = []string{"-c", w.path("sesame.toml")}
			w.launch()
			if status := w.exit(); status != couldNot {
				t.Errorf("exit status %d", status)
			}
			contains(t, w.log(), "sesame.toml:1: user: there is no user nosuchuser: make it (useradd --system nosuchuser)")
		})
	}
}

// TestRealBackToRoot has root take over a directory in which the daemon's user could plant what
// root would run.
func TestRealBackToRoot(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.withService()
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.stop()

	t.Log("# the user plants an undo")
	planted := w.path("planted")
	w.plantUndo("/bin/touch", planted)
	w.outside("sesame.toml", "user = \"root\"\n")
	w.flags = []string{"-c", w.path("sesame.toml")}
	w.start()
	contains(t, w.log(), "[WARN]  the state directory is root's again", "user=990", "/bin/touch", planted)
	contains(t, w.answer("status"), `it runs as root, since the configuration has user = "root"`)
	if len(w.grants()) != 1 {
		t.Errorf("grants %+v: expected that of before", w.grants())
	}
	for _, name := range []string{"state", "state/journal", "state/set", "state/lock", "run", "run/socket"} {
		w.belongs(w.path(name), 0, 0)
	}
	if status := w.stop(); status != done {
		t.Errorf("exit status %d\n%s", status, w.log())
	}
	w.start()
	w.stop()
	if _, err := os.Lstat(planted); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the planted command ran: %v", err)
	}
}

// plantUndo appends a grant to the journal that is over, and whose undo is pending.
func (w *world) plantUndo(argv ...string) {
	w.Helper()
	path := filepath.Join(w.state, "journal")
	text, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	var words []string
	for _, word := range argv {
		words = append(words, strconv.Quote(word))
	}
	line := fmt.Sprintf(`{"grant":{"id":77,"door":"ssh","source":"203.0.113.9/32","argv":["/bin/true"],"undo":[%s],"end":1}}`, strings.Join(words, ","))
	sum := crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli))
	text = fmt.Appendf(bytes.TrimRight(text, "\x00"), "%08x %s\n", sum, line)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.Fatal(err)
	}
}
