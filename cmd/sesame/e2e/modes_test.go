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
				cmd.Dir, cmd.Env = dir, environment()
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
			}, "mine", "theirs")
		})
	}
}
