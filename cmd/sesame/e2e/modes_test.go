//go:build linux

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// umasks are those of a person who shares all, of most systems, and of one who shares nothing.
var umasks = []string{"000", "022", "077"}

// under returns a program and its arguments that another program is run by, to run it with a umask.
func under(umask string) []string { return []string{"sh", "-c", `umask "$0" && exec "$@"`, umask} }

// made compares the modes of all files below some paths with the most that they may be. A file that
// is missing fails the test, and so does one that is not listed.
func made(t *testing.T, dir string, most map[string]fs.FileMode, below ...string) {
	t.Helper()
	found := map[string]bool{}
	for _, part := range below {
		err := filepath.WalkDir(filepath.Join(dir, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			found[name] = true
			allowed, listed := most[name]
			if got := info.Mode().Perm(); !listed || got&^allowed != 0 {
				t.Errorf("%s has mode %04o, want at most %04o (listed: %t)", name, got, allowed, listed)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for name := range most {
		if !found[name] {
			t.Errorf("%s was not made", name)
		}
	}
}

// TestModesOfMadeFiles runs each command that writes files and needs no daemon. What they write has
// sequences of knocks.
func TestModesOfMadeFiles(t *testing.T) {
	const conf = "[ssh]\nsequence = 7001,8002,9003\nstart_command = /bin/true %IP%\n"
	const golden = `sesame.test "opens" { { replay = "captures/ssh-opens.pcap", golden = "ssh.golden", min_knocks = 1, opens = "ssh" } }`
	for _, umask := range umasks {
		t.Run(umask, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			run := func(args ...string) {
				t.Helper()
				argv := slices.Concat(under(umask), []string{"sesame"}, args)
				cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
				cmd.Dir, cmd.Env = dir, append(environment(), "SOURCE_DATE_EPOCH=1772366400")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("sesame %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "knockd.conf"), []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			run("init", "mine")
			run("import", "knockd", "knockd.conf", "-o", "theirs")
			if err := os.WriteFile(filepath.Join(dir, "mine", "golden_test.lua"), []byte(golden), 0o600); err != nil {
				t.Fatal(err)
			}
			run("test", "-s", "mine", "--update")
			run("init", "--editor", "mine") // makes two of its files anew
			made(t, dir, map[string]fs.FileMode{
				"mine": 0o700, "mine/ssh.lua": 0o600, "mine/ssh_test.lua": 0o600, "mine/golden_test.lua": 0o600, "mine/captures": 0o700, "mine/captures/ssh-opens.pcap": 0o600, "mine/ssh.golden": 0o600,
				"mine/.luarc.json": 0o600, "mine/.luacheckrc": 0o600, "mine/.luals": 0o700, "mine/.luals/sesame.lua": 0o600,
				"theirs": 0o700, "theirs/knockd.lua": 0o600, "theirs/knockd.pcap": 0o600, "theirs/knockd.jsonl": 0o600, "theirs/knockd_test.lua": 0o600,
				"theirs/sesame.toml": 0o600,
			}, "mine", "theirs")
			run("manual", "local") // is for all
			for name, want := range map[string]fs.FileMode{"local": 0o755, "local/share/man/man8": 0o755, "local/share/man/man8/sesame.8": 0o644} {
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
					t.Errorf("%s: want the mode %04o: %v, %v", name, want, info, err)
				}
			}
		})
	}
}

// TestRealModesOfMadeFiles has a daemon make its state, its socket and a log, and the program a
// recording of it.
func TestRealModesOfMadeFiles(t *testing.T) {
	for _, umask := range umasks {
		t.Run(umask, func(t *testing.T) {
			w := newWorld(t, map[string]string{"ssh.lua": longDoor})
			w.outside("sesame.toml", "[log]\nknockd = \"log/knockd.log\"\n")
			for _, dir := range []string{"log", "out"} {
				if err := os.Mkdir(w.path(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			w.flags, w.within = []string{"-c", w.path("sesame.toml")}, slices.Concat(under(umask), w.within)
			w.start()
			w.knock(sshKnocks...)
			w.opens(ssh4)
			run := func(args ...string) {
				t.Helper()
				if e := w.runOn(w.net.Server, slices.Concat(under(umask), []string{"sesame"}, args)...); e.status != done {
					t.Fatalf("sesame %s: %+v", strings.Join(args, " "), e)
				}
			}
			run("record", w.path("out/recording"), "--socket", w.socket)
			run("scrub", w.path("out/recording"), "-o", w.path("out/scrubbed"))
			made(t, w.dir, map[string]fs.FileMode{"run": 0o755, "run/socket": 0o600, "run/.socket.kept": 0o600, "run/socket.lock": 0o600}, "run")
			if got := w.stop(); got != done {
				t.Errorf("exit status %d", got)
			}
			most := map[string]fs.FileMode{
				"state": 0o700, "state/lock": 0o600, "state/journal": 0o600, "state/set": 0o600, "state/attempts": 0o600, "state/audit.log": 0o600,
				"log": 0o755, "log/knockd.log": 0o640, // which has no sequences, and a group reads
				"out": 0o755, "out/recording": 0o600, "out/scrubbed": 0o600,
			}
			if _, err := os.Lstat(w.path("state/clock-was-synchronised")); err == nil { // the clock of this machine is
				most["state/clock-was-synchronised"] = 0o600
			}
			made(t, w.dir, most, "state", "log", "out")
		})
	}
}

// TestRealModesOfTheHelper has a helper make its directory, its journal and its socket.
func TestRealModesOfTheHelper(t *testing.T) {
	for _, umask := range umasks {
		t.Run(umask, func(t *testing.T) {
			h := newHelped(t, "10m")
			h.by = under(umask)
			h.startHelper()
			h.start()
			h.knock(sshKnocks...)
			h.wants("in_" + h.net.Client.IPv4.Addr().String() + "_0")
			h.logged("commands ran: count=1")
			made(t, h.dir, map[string]fs.FileMode{"helper": 0o700, "helper/lock": 0o600, "helper/undos": 0o600, "helper/scripts": 0o600, "helper.sock": 0o600}, "helper", "helper.sock")
		})
	}
}
