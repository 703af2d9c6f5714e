package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	shownCommand = regexp.MustCompile(`(?m)^    (?:sudo )?(sesame (?:check|doc|import|init|simulate|test) .*)$`)
	remark       = regexp.MustCompile(`\s+# .*$`)
	absolute     = regexp.MustCompile(`/etc/(sesame|knockd)`) // paths of the reader's machine
)

// TestCommands runs the commands that a page shows without output, as its reader does: from top to
// bottom in one directory, with the files that the page speaks of. None may fail. Paths below /etc
// are below the directory. Commands that ask the daemon are run in cmd/sesame and its e2e. Those
// with --set are run by TestGuide.
func TestCommands(t *testing.T) {
	for _, page := range []string{"README.md", "docs/captures.md", "docs/first-ten-minutes.md", "docs/from-knockd.md", "docs/scripts.md", "docs/testing.md"} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", page))
			if err != nil {
				t.Fatal(err)
			}
			found := shownCommand.FindAllStringSubmatch(string(text), -1)
			if len(found) == 0 {
				t.Error("the page shows no command: expected one")
			}
			dir := readersDirectory(t, page)
			for _, m := range found {
				if setFlags.MatchString(m[0]) {
					continue
				}
				command := absolute.ReplaceAllString(remark.ReplaceAllString(m[1], ""), dir+"/etc/$1")
				if out, err := runIn(t, dir, command); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			}
		})
	}
}

// readersDirectory makes a directory with what a page speaks of.
func readersDirectory(t *testing.T, page string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files := map[string]string{
		"scripts/ssh.lua": "scripts/ssh.lua", "knock.pcap": "pcaps/ssh-opens.pcap", "monday.pcap": "pcaps/ssh-opens.pcap",
		"own.pcap": "pcaps/knockd-opens.pcap", "etc/knockd.conf": "scripts/knockd/knockd.conf",
		"scripts/office-hours.lua": "scripts/office-hours.lua", "scripts/lists/holidays.txt": "scripts/lists/holidays.txt",
	}
	switch page {
	case "docs/captures.md":
		files["my-scripts/ssh.lua"] = "scripts/ssh.lua"
	case "docs/from-knockd.md":
		put(t, filepath.Join(dir, "etc/sesame/sesame.toml"), "observe = true\n")
		files["etc/sesame/scripts/ssh.lua"] = "scripts/ssh.lua"
	case "docs/scripts.md":
		files["etc/sesame/scripts/ssh.lua"] = "scripts/ssh.lua"
	}
	for to, from := range files {
		text, err := os.ReadFile(filepath.Join("..", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, to), string(text))
	}
	return dir
}

// runIn runs a command line in a directory.
func runIn(t *testing.T, dir, command string) (string, error) {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
