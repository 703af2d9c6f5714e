package source_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
)

// TestStoredFilesAreTheSame hands a directory on, with a file that cannot be read, one that is
// missing, a test and a zone.
func TestStoredFilesAreTheSame(t *testing.T) {
	dir := t.TempDir()
	list, missing := filepath.Join(dir, "list"), filepath.Join(dir, "missing")
	for name, text := range map[string]string{
		"a.lua":      `sesame.door "a" { sequence = { 1, 2 }, when = sesame.networks { file = "` + list + `" }, on_open = function(o) o:date("Europe/Madrid") end }`,
		"a_test.lua": "-- a test", "lib/m.lua": "return {}", "list": "203.0.113.0/24\n",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "b.lua"), 0o700); err != nil {
		t.Fatal(err)
	}
	read, err := source.Read(dir, list, missing, "/usr/share/zoneinfo/Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	again := source.Restored(read.Dir, read.Single, read.Base, read.Stored())
	if again.Sum != read.Sum || again.Compare(read) != source.Same {
		t.Error("the files are others now")
	}
	got, want := again.Unreadable(), read.Unreadable()
	if got == nil || want == nil || got.Error() != want.Error() {
		t.Errorf("unreadable: %v, and before %v", got, want)
	}
	_, wantProblem := scripting.Load(read, scripting.Options{})
	_, gotProblem := scripting.Load(again, scripting.Options{})
	if wantProblem == nil || gotProblem == nil || wantProblem.Error() != gotProblem.Error() {
		t.Errorf("they load with %v, and before with %v", gotProblem, wantProblem)
	}

	t.Log("# a set that loads has the same hash afterwards, and one script stays one")
	if err := os.Remove(filepath.Join(dir, "b.lua")); err != nil {
		t.Fatal(err)
	}
	if read, err = source.Read(filepath.Join(dir, "a.lua"), list, "/usr/share/zoneinfo/Europe/Madrid"); err != nil {
		t.Fatal(err)
	}
	again = source.Restored(read.Dir, read.Single, read.Base, read.Stored())
	for _, files := range []*source.Files{read, again} {
		set, err := scripting.Load(files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		set.Close()
	}
	if again.Sum != read.Sum || len(again.Referenced()) != 2 {
		t.Errorf("the files are others now: %q, and before %q", again.Referenced(), read.Referenced())
	}
}
