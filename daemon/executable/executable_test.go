package executable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// put writes a file with a mode, and returns its path.
func put(t testing.TB, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProblem(t *testing.T) {
	dir := t.TempDir()
	binary := put(t, dir, "binary", "\x7fELF\x02\x01\x01\x00\x00", 0o755)
	link := filepath.Join(dir, "link")
	for name, target := range map[string]string{"link": binary, "broken": filepath.Join(dir, "nowhere"), "loop": filepath.Join(dir, "loop")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	forItsGroup := "" // another user need not be that of the daemon
	if os.Geteuid() == 0 {
		forItsGroup = "(owner 0, mode 0610), which gives up the right of root to pass every mode: run chmod u+x " + dir
	}
	for name, c := range map[string]struct {
		argv []string
		want string // a part; "" for no problem
	}{
		"no command":                    {nil, ""},
		"a program":                     {[]string{"/bin/sh"}, ""},
		"a binary":                      {[]string{binary}, ""},
		"a link to one":                 {[]string{link}, ""},
		"a link to nowhere":             {[]string{filepath.Join(dir, "broken")}, "does not exist"},
		"a link to itself":              {[]string{filepath.Join(dir, "loop")}, "cannot be looked at: too many levels"},
		"missing":                       {[]string{filepath.Join(dir, "missing"), "x"}, "missing does not exist: install it, or correct the path"},
		"below a file":                  {[]string{filepath.Join(binary, "x")}, "cannot be looked at: not a directory"},
		"a directory":                   {[]string{dir}, "is a directory"},
		"a device":                      {[]string{"/dev/null"}, "is not a regular file"},
		"not executable":                {[]string{put(t, dir, "plain", "#!/bin/sh\n", 0o644)}, "is not executable: run chmod +x " + dir},
		"a script":                      {[]string{put(t, dir, "script", "#!/bin/sh -e\ntrue\n", 0o755)}, ""},
		"a script with spaces":          {[]string{put(t, dir, "spaces", "#! /bin/sh\n", 0o755)}, ""},
		"a script for its group":        {[]string{put(t, dir, "group", "#!/bin/sh\n", 0o610)}, forItsGroup},
		"a script of env":               {[]string{put(t, dir, "env", "#!/usr/bin/env sh\n", 0o755)}, ""},
		"env with a missing one":        {[]string{put(t, dir, "env2", "#!/usr/bin/env no-such-shell\n", 0o755)}, "no-such-shell is in no directory"},
		"env with options":              {[]string{put(t, dir, "env3", "#!/usr/bin/env -S no-such-shell -x\n", 0o755)}, ""},
		"a missing interpreter":         {[]string{put(t, dir, "python", "#!/usr/bin/python9\n", 0o755)}, "the interpreter of " + dir + "/python: /usr/bin/python9 does not exist"},
		"a directory as interpreter":    {[]string{put(t, dir, "etc", "#!/etc\n", 0o755)}, "/etc is a directory"},
		"no interpreter":                {[]string{put(t, dir, "none", "#!\n", 0o755)}, "names no interpreter"},
		"no first line for the kernel":  {[]string{put(t, dir, "text", "echo hello\n", 0o755)}, "is text without an interpreter"},
		"empty":                         {[]string{put(t, dir, "empty", "", 0o755)}, "is text without an interpreter"},
		"Windows line ends":             {[]string{put(t, dir, "crlf", "#!/bin/sh\r\ntrue\r\n", 0o755)}, "carriage return"},
		"a long first line":             {[]string{put(t, dir, "long", "#!/bin/sh "+strings.Repeat("x", 5000), 0o755)}, ""},
		"a shell's program":             {[]string{"/bin/sh", "-c", "/bin/sh -c true"}, ""},
		"a shell's missing program":     {[]string{"/bin/sh", "-c", "  /usr/sbin/no-such-program -A INPUT"}, "/usr/sbin/no-such-program does not exist"},
		"a shell's program by its name": {[]string{"/bin/sh", "-c", "ls; true"}, ""},
		"a missing one by its name":     {[]string{"/bin/sh", "-c", "no-such-program>/dev/null"}, "no-such-program is in no directory of the PATH of commands"},
		"a relative path":               {[]string{"/bin/sh", "-c", "bin/open 1"}, "bin/open is a relative path, and commands run in /"},
		"a builtin":                     {[]string{"/bin/sh", "-c", "cd /tmp && x"}, ""},
		"an assignment":                 {[]string{"/bin/sh", "-c", "A=1 no-such-program"}, ""},
		"a substitution":                {[]string{"/bin/sh", "-c", "$(which x) y"}, ""},
		"quotes":                        {[]string{"/bin/sh", "-c", `"/no/such program"`}, ""},
		"a subshell":                    {[]string{"/bin/sh", "-c", "(no-such-program)"}, ""},
		"nothing":                       {[]string{"/bin/sh", "-c", " "}, ""},
		"a script for a shell":          {[]string{"/bin/sh", "no-such-program"}, ""},
		"text for another program":      {[]string{"/bin/ls", "-c", "no-such-program"}, ""},
	} {
		if got := Problem(c.argv); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// What cannot be read can be run, so nothing is said of it.
func TestABinaryThatCannotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root reads everything, so the mode of the file changes nothing")
	}
	path := put(t, t.TempDir(), "secret", "\x7fELF\x00", 0o111)
	if got := Problem([]string{path}); got != "" {
		t.Errorf("got %q", got)
	}
}

// FuzzProblem checks that no text of a shell and no beginning of a file ends the program, or makes
// a message that is not text.
func FuzzProblem(f *testing.F) {
	f.Add("/sbin/iptables -A", "#!/bin/sh\n")
	f.Add("x=1", "#!\r\n")
	f.Add("\xff/../..", "\x7fELF")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, head string) {
		path := put(t, dir, "file", head, 0o755)
		for _, argv := range [][]string{{path}, {"/bin/sh", "-c", text}} {
			got := Problem(argv)
			if utf8.ValidString(text) && utf8.ValidString(head) && !utf8.ValidString(got) || len(got) > 4*len(text)+2000 {
				t.Errorf("%q: %q", argv, got)
			}
		}
	})
}
