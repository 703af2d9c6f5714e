package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/config"
	"sesame/daemon/writable"
	"sesame/daemon/writable/writabletest"
	"sesame/scripting"
	"sesame/scripting/source"
)

// TestWhatOthersCanChange has scripts that only root and who runs this can change,
// and opens one file after another to others.
func TestWhatOthersCanChange(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "scripts"), t.TempDir()
	must(t, writabletest.TrustOwnerOfTemp(), os.MkdirAll(filepath.Join(dir, "lib"), 0o755), os.Chmod(out, 0o755))
	writeFile(t, dir+"/a.lua", `local m = require "m" sesame.knockd "`+out+`/knockd.conf"`)
	writeFile(t, dir+"/lib/m.lua", "return 1")
	writeFile(t, dir+"/a_test.lua", `sesame.test "a" { { wait = "1s" } }`)
	writeFile(t, out+"/real.conf", "[a]\none_time_sequences = "+out+"/once\n")
	writeFile(t, out+"/once", "1,2\n")
	conf := out + "/sesame.toml"
	writeFile(t, conf, "")
	must(t, os.Symlink(out+"/real.conf", out+"/knockd.conf"))
	files, err := source.Read(dir)
	must(t, err)
	set, err := scripting.Load(files, scripting.Options{})
	must(t, err)
	defer set.Close()
	others := func(scripts string) string {
		return writable.Text(WritableByOthers(set, &config.Config{Scripts: scripts, File: conf}))
	}
	if got := others(dir); got != "" {
		t.Fatalf("at the startup: %s", got)
	}
	for _, path := range []string{dir, dir + "/a.lua", dir + "/a_test.lua", dir + "/lib", dir + "/lib/m.lua", out, out + "/real.conf", out + "/once", conf} {
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Chmod(path, info.Mode().Perm()|0o002))
		if got := others(dir); !strings.HasPrefix(got, path+" (owner ") || strings.Contains(got, ", /") {
			t.Errorf("%s can be written by all: %q", path, got)
		}
		must(t, os.Chmod(path, info.Mode().Perm()))
	}

	t.Log("# one script, with its own tests alone")
	writeFile(t, dir+"/b_test.lua", "")
	must(t, os.Chmod(dir+"/b_test.lua", 0o666), os.Chmod(dir+"/a_test.lua", 0o666))
	if got := others(dir + "/a.lua"); got != dir+"/a_test.lua (owner 0, mode 0666)" && os.Geteuid() == 0 {
		t.Errorf("of a.lua: %q", got)
	}
	must(t, os.Remove(dir+"/b_test.lua"), os.Chmod(dir+"/a_test.lua", 0o644))

	t.Log("# where nobody can exchange the files of others")
	must(t, os.Chmod(out, 0o777|os.ModeSticky))
	if got := others(dir); got != "" {
		t.Errorf("a sticky directory: %s", got)
	}
	must(t, os.Chmod(out, 0o755))

	if os.Geteuid() != 0 {
		return
	}
	t.Log("# somebody else's, and a group's")
	must(t, os.Chown(out+"/once", 65534, 0))
	if got, want := others(dir), out+"/once (owner 65534, mode 0600)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, os.Chown(out+"/once", 0, 65534), os.Chmod(out+"/once", 0o664))
	if got, want := others(dir), out+"/once (owner 0, mode 0664)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, os.Chown(out+"/once", 0, 0))
	if got := others(dir); got != "" {
		t.Errorf("the group of root: %s", got)
	}

	t.Log("# one script alone")
	must(t, os.Chmod(dir+"/a.lua", 0o666))
	if got := others(dir + "/a.lua"); !strings.HasPrefix(got, dir+"/a.lua (") {
		t.Errorf("got %q", got)
	}
}

// TestProgramsThatOthersCanChange has commands whose program, its interpreter, or what a shell is
// given to run can be written by all.
func TestProgramsThatOthersCanChange(t *testing.T) {
	dir := t.TempDir()
	open, shut := dir+"/open", dir+"/shut"
	for path, text := range map[string]string{open: "#!/bin/sh\n", shut: "#!" + open + "\n"} {
		writeFile(t, path, text)
		must(t, os.Chmod(path, 0o755))
	}
	must(t, os.Chmod(open, 0o757))
	for name, argv := range map[string]string{
		"the program":       `"` + open + `"`,
		"the undo":          `"/bin/true", undo = { "` + open + `" }`,
		"the interpreter":   `"` + shut + `"`,
		"what a shell runs": `"/bin/sh", "-c", "` + open + ` in"`,
		"its interpreter":   `"/bin/sh", "-c", "` + shut + ` in"`,
	} {
		writeFile(t, dir+"/a.lua", "local c = sesame.command { "+argv+` }
sesame.door "a" { sequence = { 1, 2 }, on_open = function(a) a:exec(c) end }`)
		files, err := source.Read(dir + "/a.lua")
		must(t, err)
		set, err := scripting.Load(files, scripting.Options{})
		must(t, err)
		got := WritableByOthers(set, &config.Config{Scripts: dir + "/a.lua"})
		set.Close()
		if len(got) != 1 || got[0].Path != open || got[0].Use != "a.lua:1 runs it" || got[0].Mend != "chmod o-w "+open {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestDatabasesThatOthersCanChange has a database that can be written by all, and scripts that ask
// it or do not.
func TestDatabasesThatOthersCanChange(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	must(t, writabletest.TrustOwnerOfTemp(), os.Chmod(out, 0o755))
	database := filepath.Join(out, "a.mmdb")
	writeFile(t, database, "")
	settings := config.Config{Scripts: dir, Geo: config.Geo{Databases: []config.Value{{Text: database}}}}
	for _, one := range []struct {
		when, open string // what is open to all; "": nothing
		mode       os.FileMode
		want       string
	}{
		{`when = sesame.country { "ES" }`, database, 0o606, database + " (owner 0, mode 0606; scripts ask this database who may knock)"},
		{`when = sesame.country { "ES" }`, out, 0o757, out + " (owner 0, mode 0757)"},
		{`when = sesame.country { "ES" }`, "", 0, ""},
		{`within = "10s"`, database, 0o606, ""},
	} {
		writeFile(t, dir+"/a.lua", `sesame.door "a" { sequence = { 1, 2 }, guards = 22, `+one.when+` }`)
		if one.open != "" {
			must(t, os.Chmod(one.open, one.mode))
		}
		files, err := source.Read(dir)
		must(t, err)
		set, err := scripting.Load(files, scripting.Options{})
		must(t, err)
		got := writable.Text(WritableByOthers(set, &settings))
		helped := &daemon{config: Config{Config: settings}, helper: &helper{}}
		if byHelper := writable.Text(helped.writableFiles(set)); got != byHelper {
			t.Errorf("beside a helper: %q, and without one %q", byHelper, got)
		}
		if err := (&daemon{config: Config{Config: settings}}).vet(files, set); (err == nil) != (got == "") {
			t.Errorf("%s: found %q, and vet says %v", one.when, got, err)
		}
		set.Close()
		if os.Geteuid() == 0 && got != one.want || (got == "") != (one.want == "") {
			t.Errorf("%s: got %q, want %q", one.when, got, one.want)
		}
		must(t, os.Chmod(database, 0o600), os.Chmod(out, 0o755))
	}
}

// TestFilesOfOthersAreNotRun has a script that cannot be loaded. That others can change it is told,
// and so nobody ran it.
func TestFilesOfOthersAreNotRun(t *testing.T) {
	dir := t.TempDir()
	must(t, writabletest.TrustOwnerOfTemp())
	path := filepath.Join(dir, "a.lua")
	writeFile(t, path, `error "it ran"`)
	must(t, os.Chmod(path, 0o606))
	d := &daemon{config: Config{Config: config.Config{Scripts: dir}}}
	files, err := source.Read(dir)
	must(t, err)
	if _, err := d.loadVetted(files); err == nil || strings.Contains(err.Error(), "it ran") || !strings.Contains(err.Error(), "run chmod o-w "+path) {
		t.Errorf("got %v", err)
	}
	must(t, os.Chmod(path, 0o600))
	if _, err := d.loadVetted(files); err == nil || !strings.Contains(err.Error(), "it ran") {
		t.Errorf("got %v", err)
	}
}

// TestAProgramOfOthersIsNotRun opens a program to others after its command was declared.
func TestAProgramOfOthersIsNotRun(t *testing.T) {
	must(t, writabletest.TrustOwnerOfTemp())
	path := filepath.Join(t.TempDir(), "hook")
	writeFile(t, path, "#!/bin/sh\n")
	must(t, os.Chmod(path, 0o700))
	d := &daemon{}
	if err := d.vetCommand([]string{path}); err != nil {
		t.Errorf("nobody else can write it: %v", err)
	}
	must(t, os.Chmod(path, 0o702))
	for _, argv := range [][]string{{path}, {"/bin/sh", "-c", "exec " + path}} {
		if err := d.vetCommand(argv); err == nil || !strings.Contains(err.Error(), "so it is not run: run chmod o-w "+path) {
			t.Errorf("%q: got %v", argv, err)
		}
	}
	d.config.AllowWritable = true
	if err := d.vetCommand([]string{path}); err != nil {
		t.Errorf("the configuration insists: %v", err)
	}
}

// TestSequencesOfTheDaemonsUser has a file of one-time sequences as the user of the daemon must own
// it. Everything else must not belong to that user.
func TestSequencesOfTheDaemonsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const daemon, other = 990, 991
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	must(t, writabletest.TrustOwnerOfTemp(), os.Mkdir(state, 0o700))
	once, conf := filepath.Join(state, "once"), filepath.Join(state, "knockd.conf")
	writeFile(t, once, "1,2\n")
	writeFile(t, conf, "[a]\none_time_sequences = "+once+"\n")
	writeFile(t, dir+"/a.lua", `sesame.knockd "`+conf+`"`)
	expect := func(want string) {
		t.Helper()
		files, err := source.Read(dir)
		must(t, err)
		set, err := scripting.Load(files, scripting.Options{})
		must(t, err)
		defer set.Close()
		found := WritableByOthers(set, &config.Config{Scripts: dir, State: state})
		if got := writable.Text(found); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	must(t, os.Chown(state, daemon, daemon), os.Chown(once, daemon, daemon))
	expect(state + " (owner 990, mode 0700)") // it has the knockd.conf too

	t.Log("# the knockd.conf is elsewhere")
	moved := filepath.Join(dir, "knockd.conf")
	must(t, os.Rename(conf, moved), os.Remove(dir+"/a.lua"))
	writeFile(t, dir+"/a.lua", `sesame.knockd "`+moved+`"`)
	expect("")
	must(t, os.Chown(moved, daemon, daemon))
	expect(moved + " (owner 990, mode 0600)")
	must(t, os.Chown(moved, 0, 0), os.Chown(once, other, other))
	expect(once + " (owner 991, mode 0600)")
	must(t, os.Chown(once, daemon, daemon), os.Chmod(once, 0o602))
	expect(once + " (owner 990, mode 0602)")
}
