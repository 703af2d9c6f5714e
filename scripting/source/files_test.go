package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
)

func TestFilesAreReadOnce(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *source.Files {
		t.Helper()
		files, err := source.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	const door = `sesame.door "a" { sequence = { 1, 2 } }`
	write("a.lua", door)
	write("lib/m.lua", `return {}`)
	write("notes.txt", "no script")
	before := read()

	t.Log("# what is edited meanwhile does not show")
	write("a.lua", "broken(")
	set, err := scripting.Load(before, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set.Close()
	if read().Sum == before.Sum {
		t.Error("another text has the same hash")
	}
	write("a.lua", door)
	write("notes.txt", "still no script")
	if read().Sum != before.Sum {
		t.Error("the same scripts have another hash")
	}
	write("lib/m.lua", `return { 1 }`)
	if read().Sum == before.Sum {
		t.Error("another module has the same hash")
	}

	t.Log("# a pipe is no ordinary file, and nobody waits for its writer")
	if err := syscall.Mkfifo(filepath.Join(dir, "p.lua"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := scripting.Load(read(), scripting.Options{}); err == nil || !strings.Contains(err.Error(), "p.lua") || !strings.Contains(err.Error(), "no ordinary file") {
		t.Errorf("a pipe loads with %v", err)
	}
}

func TestOneScriptOfFiles(t *testing.T) {
	files := source.Of("kept", "b.lua", []source.File{
		{Path: "a.lua", Source: []byte("broken(")},
		{Path: "b.lua", Source: []byte(`local m = require "m"; sesame.door "b" { sequence = m }`)},
		{Path: "lib/m.lua", Source: []byte("return { 1, 2 }")},
	})
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if len(set.Engine.Doors) != 1 || set.Engine.Doors[0].Name != "b" {
		t.Errorf("the doors are %v, want b", set.Engine.Doors)
	}
	for name, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file", "files.go": "no Lua script"} {
		if _, err := source.Read(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reading %s: %v, want %q", name, err, want)
		}
	}
}

// A single script has the tests that are called after it, and no others.
func TestTestsOfASingleScript(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.lua": "a", "a_test.lua": "b", "b_test.lua": "c", "b.lua": "d"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sums := map[[32]byte]bool{}
	for _, text := range []string{"x", "y"} { // a change of the tests is a change of the files
		if err := os.WriteFile(filepath.Join(dir, "a_test.lua"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files, err := source.Read(filepath.Join(dir, "a.lua"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(files.TestNames(), " "); got != "a_test.lua" {
			t.Errorf("its tests are %q", got)
		}
		if names, err := files.Names(); err != nil || strings.Join(names, " ") != "a.lua" {
			t.Errorf("its scripts are %q, %v", names, err)
		}
		sums[files.Sum] = true
	}
	if len(sums) != 2 {
		t.Error("the tests do not belong to the files")
	}
	files, err := source.Read(dir)
	if got := strings.Join(files.TestNames(), " "); err != nil || got != "a_test.lua b_test.lua" {
		t.Errorf("the directory has the tests %q, %v", got, err)
	}
}
