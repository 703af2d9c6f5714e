//go:build linux

package privileged

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting/source"
)

var loader = []string{"/proc/self/exe", asLoader}

// loaded lets a loader load a directory.
func loaded(t *testing.T, dir string, settings map[string]string, referenced ...string) (manifest, error) {
	t.Helper()
	files, err := source.Read(dir, referenced...)
	must(t, err)
	a := archiveOf(files, settings, nil)
	file, _, err := a.sealed()
	must(t, err)
	defer file.Close()
	if _, err := file.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the archive can be changed")
	}
	return startLoader(loader, file)
}

func TestTheLoaderTellsWhatIsDeclared(t *testing.T) {
	dir := t.TempDir()
	once := write(t, dir, "once", "1001,1002\n")
	conf := write(t, dir, "knockd.conf", "[web]\nsequence = 7,8\ncommand = echo %IP%\nstop_command = echo {x}\n")
	write(t, dir, "s/a.lua", `local level = sesame.option "level" { type = "string", default = "low", doc = "d" }
local ban = sesame.command { "/sbin/ban", "{source}", "{level}", undo = { "/sbin/ban", "-d" }, timeout = "3s", status = "any", choices = { level = { level, "x" } } }
sesame.door "once" { one_time_sequences = "`+once+`", on_open = function(o) o:exec(ban, { level = "x" }) end }
sesame.knockd "`+conf+`"`)
	write(t, dir, "s/a_test.lua", "-- a test")
	m, err := loaded(t, dir+"/s", map[string]string{"level": "high"})
	if err != nil || m.problem == "" || !cmp.Equal(m.missing, []string{once}) && !cmp.Equal(m.missing, []string{once, conf}) {
		t.Fatalf("without the files: %+v, %v", m, err)
	}
	m, err = loaded(t, dir+"/s", map[string]string{"level": "high"}, once, conf)
	must(t, err)
	want := manifest{
		files: []namedFile{{conf, false}, {once, true}}, doors: []string{"once", "web"},
		commands: []declared{
			{argv: []string{"/sbin/ban", "{source}", "{level}"}, undo: []string{"/sbin/ban", "-d"}, timeout: 3 * time.Second, anyStatus: true, choices: map[string][]string{"level": {"high", "x"}}},
			{argv: []string{"/bin/sh", "-c", "echo {source}"}, undo: []string{"/bin/sh", "-c", "echo {{x}}"}, timeout: time.Minute, anyStatus: true},
		},
	}
	if diff := cmp.Diff(want, m, unexported, cmpEmpty); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}

	t.Log("# a set that does not load, with an option that nobody declares")
	if m, err = loaded(t, dir+"/s", map[string]string{"levle": "high"}, once, conf); err != nil || !strings.Contains(m.problem, `declares the option "levle"`) || m.commands != nil || len(m.files) != 2 {
		t.Errorf("got %+v, %v", m, err)
	}
}

// An interrupt in a terminal, which all processes of a group get, is not for the loader.
func TestALoaderHasAGroupOfItsOwn(t *testing.T) {
	empty, err := os.Open("/dev/null")
	must(t, err)
	defer empty.Close()
	_, err = startLoader([]string{"/bin/sh", "-c", `read -r pid name state parent group rest </proc/$$/stat; [ "$group" = "$$" ] || exit 7; exit 6`}, empty)
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 6") {
		t.Errorf("got %v", err)
	}
}

func TestALoaderThatFails(t *testing.T) {
	empty, err := os.Open("/dev/null")
	must(t, err)
	defer empty.Close()
	for _, tt := range []struct {
		name, want string
		argv       []string
	}{
		{"no program", "starting the loader: fork/exec /nowhere: no such file or directory", []string{"/nowhere"}},
		{"it fails", "loading the scripts in a process of its own: it ended with exit status 1", []string{"/bin/false"}},
		{"it ends by a signal", "loading the scripts in a process of its own: it ended with signal: killed", []string{"/bin/sh", "-c", "kill -9 $$"}},
		{"it writes nothing", "reading the manifest: it ends early", []string{"/bin/true"}},
		{"it writes something else", "reading the manifest: 5 bytes too many", []string{"/bin/sh", "-c", `printf '\000\000\000\000\000hello'`}},
		{"it writes without end", "loading the scripts in a process of its own: it wrote more than 32 MiB", []string{"/bin/cat", "/dev/zero"}},
		{"it gets no archive", "loading the scripts in a process of its own: it ended with exit status 2", loader},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := startLoader(tt.argv, empty); err == nil || err.Error() != tt.want {
				t.Errorf("got %+v, %v: want %s", m, err, tt.want)
			}
		})
	}
	if _, err := startLoader([]string{"/bin/sh", "-c", "exec >&-; while :; do :; done"}, empty); err == nil {
		t.Error("one that closes its output and goes on is taken")
	}
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	if _, err := readBounded(r, time.Millisecond); err == nil || err.Error() != "it took longer than 1ms" {
		t.Errorf("one that hangs: %v", err)
	}
}

// TestRealLoaderIsConfined starts a process that confines itself as a loader does, and then tries
// what a script would try that has taken the loader over.
func TestRealLoaderIsConfined(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", asAttempt)
	cmd.Env = []string{"TMPDIR=" + t.TempDir()}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	user, did, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	if os.Geteuid() == 0 && user != "65534" {
		t.Errorf("it is user %s", user)
	}
	if did != "" {
		t.Errorf("it could %s", strings.ReplaceAll(did, "\n", ", "))
	}
}
