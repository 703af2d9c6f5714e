package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A calledCase is a way to call a program, with what a person types behind that.
type calledCase struct {
	program, typed string
	want           string // the last argument that the shell then has; "" when it must not run the line
	only           string // the shells that can do it; "" for all
}

// calledCases are for shells with copies of sesame in bin, which is in PATH, and in "my bin" below
// their home, which is where they stand.
var calledCases = []calledCase{
	{"~/bin/sesame", "sim\t", "simulate", ""}, // and the shell loads the file
	{"sesame", "sim\t", "simulate", ""},
	{"./bin/sesame", "sim\t", "simulate", ""},
	{"bin/sesame", "sim\t", "simulate", ""},
	{"$HOME/bin/sesame", "sim\t", "simulate", ""},
	{"~root/..HOME/bin/sesame", "sim\t", "simulate", ""},
	{`my\ bin/sesame`, "sim\t", "simulate", ""},
	{`~/my\ bin/sesame`, "sim\t", "simulate", ""},
	{`'my bin/sesame'`, "sim\t", "simulate", ""},
	{`"$HOME/my bin/sesame"`, "sim\t", "simulate", ""},
	{"sudo sesame", "sim\t", "simulate", "bash zsh fish"},
	{"sudo ~/bin/sesame", "sim\t", "simulate", "bash zsh fish"},
	{"sudo -u root sesame", "sim\t", "simulate", "bash zsh fish"},
	// A program that is missing, or is none, completes to nothing, and nothing is said.
	{"~/nowhere/sesame", "sim\t", "sim", ""},
	{"/nowhere/sesame", "sim\t", "sim", ""},
	{"./sesame", "sim\t", "sim", ""},     // a directory
	{"~nobody1/sesame", "sim\t", "", ""}, // no such user
	{"$(touch canary)/sesame", "sim\t", "", ""},
	{"`touch canary`/sesame", "sim\t", "", ""},
	// What answers in another way is not asked twice, and what it says is not evaluated.
	{"./odd/sesame", "sim\t", "sim", ""},
	{"~named/bin/sesame", "sim\t", "simulate", "zsh"},
	// Arguments are read as the shell would pass them on.
	{"sesame", "simulate -s ~/scripts --door ss\t", "ssh", ""},
	{"sesame", "simulate -s $HOME/scripts --door ss\t", "ssh", ""},
	{"sesame", `simulate -s "$HOME/scripts" --door ss` + "\t", "ssh", ""},
	{"sesame", "simulate -s $nothing/scripts --door ss\t", "ss", ""},
	{"sesame", `simulate -s '$HOME/scripts' --door ss` + "\t", "ss", "bash zsh"},
	{"sesame", "simulate ~/capture\\ o\t", "/capture one.pcap", ""},
	// The client does not run for it: its flags are in the files.
	{"sesame-knock", "--verb\t", "--verbose", ""},
	{"/nowhere/sesame-knock", "--verb\t", "--verbose", ""},
	{"sesame-knock", "gatew\t", "gateway.example", "bash zsh fish"},
	{"sesame-knock", "-v gatew\t", "gateway.example", "zsh fish"}, // bash counts words alone
	{"~/bin/knock", "--verb\t", "--verbose", ""},
	{"knock", "--verb\t", "--verbose", ""},
	{"sudo knock", "--verb\t", "--verbose", "bash zsh fish"},
}

// lastCase is for a shell with the completion, and without the program.
var lastCase = calledCase{"sesame", "simulate -s scripts --door ss\t", "ss", ""}

// TestRealCalled types calls of the programs in real shells. It fails when a shell completes to
// something else, runs anything but the program, or writes a complaint.
func TestRealCalled(t *testing.T) {
	complaint := regexp.MustCompile(`(?i)nknown command|not found|no such|no matches|cannot|error|permission`)
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.argv[0]); err != nil {
				t.Skipf("%s is not installed: .ci/install does it", shell.argv[0])
			}
			s := newShell(t, shell.argv, shell.rc)
			s.lines(shell.traps)
			for _, tt := range append(slices.Clone(calledCases), lastCase) {
				if tt == lastCase {
					s.lines("export PATH=/usr/bin:/bin")
				}
				if tt.only != "" && !strings.Contains(" "+tt.only+" ", " "+shell.name+" ") {
					continue
				}
				last, out := s.lastOf(strings.ReplaceAll(tt.program, "..HOME", ".."+s.dir)+" "+tt.typed, tt.want != "")
				if last != tt.want && !(strings.HasPrefix(tt.want, "/") && strings.HasSuffix(last, tt.want)) {
					t.Errorf("%s %q: got %q, want %q", tt.program, tt.typed, last, tt.want)
				}
				if said := complaint.FindString(out); said != "" {
					t.Errorf("%s %q: the shell writes:\n%s", tt.program, tt.typed, out)
				}
				if _, err := os.Stat(filepath.Join(s.dir, "canary")); err == nil {
					t.Fatalf("%s %q: something ran:\n%s", tt.program, tt.typed, out)
				}
			}
		})
	}
}

// lastOf types a line. It returns its last argument, when the shell may run the line, and what the
// shell writes.
func (s *shell) lastOf(typed string, run bool) (last, out string) {
	s.Helper()
	if !run {
		const home, kill = "\x01", "\x0b" // before the line, and without it
		return "", s.lines(typed + home + kill)
	}
	args, out := s.argumentsOf(typed)
	return args[len(args)-1], out
}

// addPrograms adds the programs to the home of a shell.
func (s *shell) addPrograms() {
	s.Helper()
	for _, dir := range []string{"bin", "my bin", "sesame"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			s.Fatal(err)
		}
	}
	self, err := os.Executable()
	for _, dir := range []string{"bin", "my bin"} {
		if err == nil {
			err = os.Symlink(self, filepath.Join(s.dir, dir, "sesame")) // see TestMain
		}
	}
	odd := "#!/bin/sh\nprintf 'sim\\nsimulate\\n:a[$(echo \\$)(touch ~/canary)]\\n'\n"
	if err == nil {
		err = writeBelow(s.dir, "odd/sesame", odd)
	}
	if err == nil {
		err = os.Chmod(filepath.Join(s.dir, "odd/sesame"), 0o700)
	}
	if err == nil {
		err = writeBelow(s.dir, ".ssh/known_hosts", "gateway.example ssh-ed25519 AAAA\n")
	}
	for _, name := range []string{"sudo", "knock", "sesame-knock"} { // shells complete those that are there
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, "bin", name), []byte("#!/bin/sh\ntouch \"$HOME/canary\"\n"), 0o700)
		}
	}
	if err != nil {
		s.Fatal(err)
	}
}
