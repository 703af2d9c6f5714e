package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sesame/daemon/control"
	"sesame/daemon/wire"
)

// A shellCase is what a person types, with \t for Tab, and the arguments that the shell then has.
type shellCase struct {
	typed string
	want  string // with a bar between arguments
}

// hostileDoors have names that a shell must not evaluate. The file canary tells when one did.
var hostileDoors = []string{
	"ssh", "web admin", "$(touch canary)", "`touch canary`", "q'u\"o", "s;touch canary", "&touch canary",
	"x$(touch canary)1", "x$(touch canary)2", "b\\s", "h!!", "*", "ümlaut", "~root", "{a}",
}

var shellCases = []shellCase{
	{"sim\t", "simulate"},
	{"simulate --forc\t", "simulate|--force"},
	{"simulate --format=jso\t", "simulate|--format=jsonl"},
	{"simulate --format jso\t", "simulate|--format|jsonl"},
	{"simulate --decap gre,v\t", "simulate|--decap|gre,vxlan"},
	{"simulate -s scripts --door ss\t", "simulate|-s|scripts|--door|ssh"},
	{"simulate -s scripts --door web\t", "simulate|-s|scripts|--door|web admin"},
	{"simulate -s scripts --door \\$\t", "simulate|-s|scripts|--door|$(touch canary)"},
	{"simulate -s scripts --door \\`\t", "simulate|-s|scripts|--door|`touch canary`"},
	{"simulate -s scripts --door q\t", "simulate|-s|scripts|--door|q'u\"o"},
	{"simulate -s scripts --door s\\;\t", "simulate|-s|scripts|--door|s;touch canary"},
	{"simulate -s scripts --door \\&\t", "simulate|-s|scripts|--door|&touch canary"},
	{"simulate -s scripts --door b\t", "simulate|-s|scripts|--door|b\\s"},
	{"simulate -s scripts --door h\t", "simulate|-s|scripts|--door|h!!"},
	{"simulate -s scripts --door \\*\t", "simulate|-s|scripts|--door|*"},
	{"simulate -s scripts --door \\~\t", "simulate|-s|scripts|--door|~root"},
	{"simulate -s scripts --door \\{\t", "simulate|-s|scripts|--door|{a}"},
	// Two doors begin alike: the shell inserts the beginning, and asks again with it.
	{"simulate -s scripts --door x\t2\t", "simulate|-s|scripts|--door|x$(touch canary)2"},
	{"simulate -s scripts --door \\$\t--quie\t", "simulate|-s|scripts|--door|$(touch canary)|--quiet"},
	{"check -s scripts --set por\t", "check|-s|scripts|--set|port="},
	{"check -s scripts --set por\t22", "check|-s|scripts|--set|port=22"},
	{"simulate -s 'scripts' --door ss\t", "simulate|-s|scripts|--door|ssh"},
	{"simulate cap\t", "simulate|capture one.pcap"},
	{"simulate -s scr\t", "simulate|-s|scripts/"},
	{"simulate mix\t.p\t", "simulate|mixed.pcap"}, // a file beside a directory
	{"store get --socket socket wor\t", "store|get|--socket|socket|words"},
	{"store get --socket socket words \\$\t", "store|get|--socket|socket|words|$(touch canary) key"},
	{"explain --socket socket 2001:\t", "explain|--socket|socket|2001:db8::9"},
	{"explain --socket nobody 2001:\t", "explain|--socket|nobody|2001:"},
	{"revoke --socket socket 203.0.113.9 t\t", "revoke|--socket|socket|203.0.113.9|tcp/22"},
	{"completion z\t", "completion|zsh"},
	// In a text of several words the last one is completed.
	{"simulate -s scripts --knock 203.0.113.9\\ ss\t", "simulate|-s|scripts|--knock|203.0.113.9 ssh"},
	{"simulate --fact 2001:db8::/32\\ cou\tPT", "simulate|--fact|2001:db8::/32 country=PT"},
	{"-knock --verb\t", "--verbose"},
	{"-knock -d 1s --js\t", "-d|1s|--json"},
}

// shells are the programs, with what they read first. All but one load the files when needed,
// by their names below a prefix.
var shells = []struct {
	name string
	argv []string
	rc   string // %s is the directory that has the completions
	// traps are functions that completion must not call: a person's wrapper of the program, which
	// may ask for a password, and what some systems run for a program that is missing.
	traps string
}{
	{"bash", []string{"bash", "--norc", "--noprofile", "-i"},
		"set +o history; XDG_DATA_DIRS=%s:/usr/share; source /usr/share/bash-completion/bash_completion", trapsOf("command_not_found_handle")},
	{"bash without bash-completion", []string{"bash", "--norc", "--noprofile", "-i"},
		"set +o history; for file in %s/bash-completion/completions/*; do source $file; done", trapsOf("command_not_found_handle")},
	{"zsh", []string{"zsh", "-f", "-i"},
		"zstyle ':completion:*' insert-tab false; unsetopt bang_hist; hash -d named=$HOME; fpath=(%s/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D", trapsOf("command_not_found_handler")},
	{"fish", []string{"fish", "--no-config", "-i"},
		"set fish_complete_path %s/fish/vendor_completions.d /usr/share/fish/completions; set fish_function_path /usr/share/fish/functions",
		"function sesame; touch ~/canary; end; function fish_command_not_found; touch ~/canary; end"},
}

// trapsOf returns the traps of a shell that calls a function for a program that is missing.
func trapsOf(missing string) string {
	return "sesame() { touch ~/canary; }; " + missing + "() { touch ~/canary; }"
}

// TestRealCompletion types in real shells. It fails when a shell completes to something else, or
// evaluates a name.
func TestRealCompletion(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.argv[0]); err != nil {
				t.Skipf("%s is not installed: .ci/install does it", shell.argv[0])
			}
			s := newShell(t, shell.argv, shell.rc)
			for _, tt := range shellCases {
				// A shell adds a slash to a directory, or not, and its own quotes.
				if got := s.completed(tt.typed); strings.TrimSuffix(got, "/") != strings.TrimSuffix(tt.want, "/") {
					t.Errorf("%q: got  %q\nwant %q", tt.typed, got, tt.want)
				}
				if _, err := os.Stat(filepath.Join(s.dir, "canary")); err == nil {
					t.Fatalf("%q: the shell evaluated a name", tt.typed)
				}
			}
		})
	}
}

// TestRealUnquote holds that what bash inserts for a name of hostile characters is read back as the
// name, without the shell's own evaluation.
func TestRealUnquote(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	name := rapid.StringOfN(rapid.RuneFrom([]rune("ab \t'\"\\$`!(){};&|<>*?[]~#=:,ü")), 1, 12, -1)
	var names strings.Builder
	for i := range 400 {
		names.WriteString(name.Example(i) + "\n")
	}
	const script = `%s
while IFS= read -r name; do
	printf -v double '"%%s"' "$(printf %%s "$name" | sed 's/[\\"$` + "`" + `]/\\&/g')"
	for quoted in "$(printf %%q "$name")" "$double" "'${name//\'/\'\\\'\'}'"; do
		case $quoted in \$\'*) continue ;; esac
		_sesame_unquote "$quoted"
		if [[ $REPLY != "$name" || $quote ]]; then printf '%%s: got %%s\n' "$quoted" "$REPLY"; fi
	done
done`
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "-c", fmt.Sprintf(script, bashCompletion))
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "HOME=/nowhere")
	cmd.Stdin = strings.NewReader(names.String())
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// A shell is a real one on a terminal.
type shell struct {
	*testing.T
	dir      string
	terminal *os.File
	output   string
	typed    int
}

// newShell starts a shell in a directory with scripts, a capture and a daemon.
func newShell(t *testing.T, argv []string, rc string) *shell {
	t.Helper()
	s := &shell{T: t, dir: t.TempDir()}
	s.prepare()
	var program *os.File
	s.terminal, program = newTerminal(t)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.dir, program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	cmd.Env = []string{"PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "TERM=dumb", "LC_ALL=C.UTF-8", "COLUMNS=200", "GORACE=atexit_sleep_ms=0"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.terminal.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.lines(fmt.Sprintf(rc, s.dir+"/share"))
	return s
}

// prepare writes what the cases complete to.
func (s *shell) prepare() {
	s.Helper()
	var doors strings.Builder
	doors.WriteString("sesame.option \"port\" { type = \"port\", default = \"tcp/22\", doc = \"what it guards\" }\n")
	for i, name := range hostileDoors {
		fmt.Fprintf(&doors, "sesame.door %s { sequence = { \"tcp/%d\", \"tcp/%d\", \"udp/%d\" }, guards = \"tcp/%d\" }\n",
			luaText(name), 7000+7*i, 8000+9*i, 9000+11*i, 1000+i)
	}
	p := &program{}
	if err := p.writeManual(p.root(), s.dir, "2026-11-30"); err != nil {
		s.Fatal(err)
	}
	for name, text := range map[string]string{"scripts/doors.lua": doors.String(), "capture one.pcap": "", "capture.txt": "", "mixed/a": "", "mixed.pcap": ""} {
		if err := writeBelow(s.dir, name, text); err != nil {
			s.Fatal(err)
		}
	}
	s.addPrograms()
	s.serve()
}

// luaText writes a text for Lua.
func luaText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// serve runs a daemon that knows sources and keys.
func (s *shell) serve() {
	s.Helper()
	grant := func(source string) control.Grant {
		g := control.Grant{ID: 1, Door: "ssh"}
		g.Source.Prefix = netip.MustParsePrefix(source)
		if err := g.Port.UnmarshalText([]byte("tcp/22")); err != nil {
			s.Fatal(err)
		}
		return g
	}
	known := answers{
		Grants: []control.Grant{grant("2001:db8::9/128"), grant("203.0.113.9/32")},
		Stored: []control.StoredValue{{Script: "words", Key: wire.Text("$(touch canary) key"), Type: "boolean"}},
	}
	s.Chdir(s.dir) // the path of a socket must be short
	socket, err := control.Listen("socket")
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- socket.Serve(ctx, known.api(), log.New(io.Discard, "", 0)) }()
	s.Cleanup(func() { cancel(); <-done })
}

// newTerminal returns both ends of a terminal: that of a person, and that of a program.
func newTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	person = os.NewFile(uintptr(fd), "/dev/ptmx") // with deadlines, since it does not block
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// patience is how long a shell may take for a line.
const patience = time.Minute

// lines types lines, and returns what the shell writes until it has run them.
func (s *shell) lines(all ...string) string {
	s.Helper()
	s.typed++
	// What is typed is echoed. So the word that is waited for is not what is typed.
	text := strings.Join(append(slices.Clone(all), fmt.Sprintf("echo en''ded-%d-", s.typed)), "\n") + "\n"
	if _, err := s.terminal.WriteString(text); err != nil {
		s.Fatal(err)
	}
	_ = s.terminal.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 4096)
	end := fmt.Sprintf("ended-%d-", s.typed)
	for {
		before, after, found := strings.Cut(s.output, end)
		if found {
			s.output = after
			return before
		}
		n, err := s.terminal.Read(buffer)
		if err != nil {
			s.Fatalf("the shell does not go on: %v\n%s", err, s.output)
		}
		s.output += string(buffer[:n])
	}
}

// completed types a call of sesame, and returns the arguments that the shell passes on.
func (s *shell) completed(typed string) string {
	s.Helper()
	if !strings.HasPrefix(typed, "-knock ") {
		typed = " " + typed
	}
	args, _ := s.argumentsOf("sesame" + typed)
	return strings.Join(args[1:], "|") // without the program
}

// argumentsOf types a line, and returns its words as the shell then passes them on, and all that it
// wrote.
func (s *shell) argumentsOf(typed string) (args []string, out string) {
	s.Helper()
	const home = "\x01" // before the line
	out = s.lines(typed + home + `printf '<<%s>>\n' `)
	for _, m := range regexp.MustCompile(`<<([^%][^>]*|)>>\r?\n`).FindAllStringSubmatch(out, -1) {
		args = append(args, m[1])
	}
	if len(args) == 0 {
		s.Fatalf("%q: no arguments:\n%s", typed, out)
	}
	return args, out
}
