package source_test

import (
	"fmt"
	"strings"
	"testing"

	"sesame/scripting/source"
)

// script returns a script or module as it is compiled for a set.
func script(t *testing.T, files *source.Files, path string) *source.Script {
	t.Helper()
	scripts := files.Scripts()
	defer scripts.Close()
	s, err := scripts.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A text is compiled once for all sets that have it, and is in memory once.
func TestTextsAreCompiledOnce(t *testing.T) {
	d := newDisk(t)
	data := "return {" + strings.Repeat("\"constant\",\n", 200_000) + "}"
	d.write(d.dir+"/a.lua", `local data = require "data"`)
	d.write(d.dir+"/b.lua", `local b`)
	d.write(d.dir+"/lib/data.lua", data)
	files := d.read()
	a, b, large := script(t, files, "a.lua"), script(t, files, "b.lua"), script(t, files, "lib/data.lua")
	if !large.Program.IsData() || large.Chunk() != nil {
		t.Error("the module is not read as one of data")
	}
	if clone := files.Clone(); script(t, clone, "a.lua") != a || script(t, clone, "lib/data.lua") != large {
		t.Error("a clone compiles again")
	}
	d.write(d.dir+"/b.lua", `local c`)
	again, err := source.ReadAgain(d.dir, files)
	if err != nil {
		t.Fatal(err)
	}
	if script(t, again, "a.lua") != a || script(t, again, "lib/data.lua") != large {
		t.Error("a text that did not change is compiled again")
	}
	changed := script(t, again, "b.lua")
	if changed == b || string(changed.Source) != "local c" {
		t.Errorf("the script that changed is %q", changed.Source)
	}
	if n := allocated(func() { script(t, again.Clone(), "lib/data.lua") }); n > 1<<20 {
		t.Errorf("%d bytes for a module that is compiled", n)
	}
}

// How long a file may be depends on what it is.
func TestLengthsOfFiles(t *testing.T) {
	data := func(n int) string { return "return {" + strings.Repeat("\"constant\",\n", n) + "}" }
	for _, tt := range []struct{ path, text, want string }{
		{"a.lua", "--" + strings.Repeat("x", 1<<20-2), ""},
		{"a.lua", "--" + strings.Repeat("x", 1<<20-1), "a.lua: it is longer than 1 MiB, the longest script"},
		{"a.lua", data(100_000), "a.lua: it is longer than 1 MiB, the longest script"},
		{"a_test.lua", data(100_000), "a_test.lua: it is longer than 1 MiB, the longest script"},
		{"lib/a.lua", data(100_000), ""},
		{"lib/a.lua", "return {" + strings.Repeat(" ", 1<<24-9) + "}", ""},
		{"lib/a.lua", "return {" + strings.Repeat(" ", 1<<24-8) + "}", "lib/a.lua: it is longer than 16 MiB, the longest module of data"},
		{"lib/a.lua", "local t = {" + strings.Repeat("1,", 1<<19) + "}", "lib/a.lua: the file has 1048588 bytes: at most 1048576; divide it with require. A module that is one return of a table of constants may have 16777216"},
	} {
		d := newDisk(t)
		d.write(d.dir+"/"+tt.path, tt.text)
		_, err := d.read().Scripts().Load(tt.path)
		if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != tt.want {
			t.Errorf("%s of %d bytes: got %q, want %q", tt.path, len(tt.text), got, tt.want)
		}
	}
}
