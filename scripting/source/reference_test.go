package source_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// A disk is a directory of scripts and one of referenced files.
type disk struct {
	*testing.T
	dir, out string
}

func newDisk(t *testing.T) *disk { return &disk{t, t.TempDir(), t.TempDir()} }

func (d *disk) write(path, text string) {
	d.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d *disk) read(also ...string) *source.Files {
	d.Helper()
	files, err := source.Read(d.dir, also...)
	if err != nil {
		d.Fatal(err)
	}
	return files
}

// load loads files that are right, and forgets the set.
func (d *disk) load(files *source.Files) *source.Files {
	d.Helper()
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		d.Fatal(err)
	}
	set.Close()
	return files
}

func TestReferencedFilesAreReadOnce(t *testing.T) {
	d := newDisk(t)
	conf, once := d.out+"/knockd.conf", d.dir+"/once"
	d.write(conf, "[a]\nsequence = 1,2\n")
	d.write(once, "3,4\n5,6\n")
	d.write(d.dir+"/a.lua", fmt.Sprintf("sesame.knockd %q\nsesame.door \"b\" { one_time_sequences = \"once\" }\nsesame.door \"c\" { one_time_sequences = \"./once\" }", conf))
	before := d.read()
	scripts := before.Sum
	running := d.load(before)
	if running.Sum == scripts {
		t.Error("referenced files do not count in the hash")
	}
	if want := []string{once, conf}; !slices.Equal(slices.Sorted(slices.Values(want)), running.Referenced()) {
		t.Errorf("referenced are %q, want %q", running.Referenced(), want)
	}

	t.Log("# the same content is the same, read before or while loading")
	again := d.read(running.Referenced()...)
	if again.Compare(running) != source.Same || again.Sum != running.Sum {
		t.Error("files that nobody touched are others")
	}
	if other := d.read(); other.Compare(running) != source.Changed {
		t.Error("what was not read is the same")
	}

	t.Log("# what is edited meanwhile does not show, and is a change the next time")
	d.write(conf, "broken")
	d.load(again)
	if changed := d.read(running.Referenced()...); changed.Compare(running) != source.Changed {
		t.Error("another knockd.conf is the same")
	} else if _, err := scripting.Load(changed, scripting.Options{}); err == nil || !strings.Contains(err.Error(), conf+":1: ") {
		t.Errorf("a broken knockd.conf loads with %v", err)
	} else if !slices.Contains(changed.Referenced(), conf) {
		t.Error("a set that does not load names no files")
	}

	t.Log("# files that nothing names any more are forgotten")
	d.write(d.dir+"/a.lua", `sesame.door "b" { sequence = { 1, 2 } }`)
	if left := d.load(d.read(running.Referenced()...)).Referenced(); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

func TestConsumedSequencesAreNoNews(t *testing.T) {
	d := newDisk(t)
	once, conf := d.out+"/once", d.out+"/knockd.conf"
	const lines = " 1,2\n3,4\r\n\n5,6"
	d.write(d.dir+"/a.lua", fmt.Sprintf("sesame.door \"a\" { one_time_sequences = %q }\nsesame.knockd %q", once, conf))
	d.write(conf, "[b]\nsequence = 7,8\n")
	d.write(once, lines)
	before := d.load(d.read())
	for _, tt := range []struct {
		name, once, conf string
		want             source.Difference
	}{
		{"nothing", lines, "[b]\nsequence = 7,8\n", source.Same},
		{"a mark", "#1,2\n3,4\r\n\n5,6", "[b]\nsequence = 7,8\n", source.Consumed},
		{"two marks", "#1,2\n3,4\r\n\n#,6", "[b]\nsequence = 7,8\n", source.Consumed},
		{"a mark elsewhere in a line", " #,2\n3,4\r\n\n5,6", "[b]\nsequence = 7,8\n", source.Changed},
		{"another line", " 1,2\n3,4\r\n\n5,6\n7,8", "[b]\nsequence = 7,8\n", source.Changed},
		{"another sequence", " 1,2\n3,5\r\n\n5,6", "[b]\nsequence = 7,8\n", source.Changed},
		{"no line", "", "[b]\nsequence = 7,8\n", source.Changed},
		{"a mark in a knockd.conf", lines, "[b]\n#equence = 7,8\n", source.Changed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.write(once, tt.once)
			d.write(conf, tt.conf)
			if got := d.read(before.Referenced()...).Compare(before); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if err := os.Remove(once); err != nil {
		t.Fatal(err)
	}
	if d.read(before.Referenced()...).Compare(before) != source.Changed {
		t.Error("a file that is gone is only marked")
	}
}

func TestReferencedFilesThatAreNone(t *testing.T) {
	d := newDisk(t)
	d.write(d.out+"/long", strings.Repeat("#", 1<<20+1))
	d.write(d.out+"/full", strings.Repeat("#", 1<<20))
	if err := errors.Join(syscall.Mkfifo(d.out+"/pipe", 0o600), os.Symlink("full", d.out+"/link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		d.out + "/long": "it is longer than 1 MiB",
		d.out + "/pipe": "it is no ordinary file",
		d.out:           "it is a directory",
		d.out + "/none": "reading " + d.out + "/none: no such file or directory",
		"a\x00b":        "no path",
		d.out + "/full": "",
		d.out + "/link": "",
	} {
		d.write(d.dir+"/a.lua", fmt.Sprintf("sesame.door \"a\" { one_time_sequences = \"%s\" }", strings.ReplaceAll(path, "\x00", `\0`)))
		set, err := scripting.Load(d.read(), scripting.Options{})
		switch {
		case err == nil && want != "":
			t.Errorf("%q loads", path)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", path, err, want)
		}
		if err == nil {
			set.Close()
		}
	}
}

func TestHowManyReferencedFiles(t *testing.T) {
	d := newDisk(t)
	names := func(n int) string {
		return fmt.Sprintf(`for i = 1, %d do sesame.door("d" .. i) { one_time_sequences = %q .. i } end`, n, d.out+"/f")
	}
	for i := range 101 {
		d.write(fmt.Sprintf("%s/f%d", d.out, i+1), "1,2,3,4")
	}
	d.write(d.dir+"/a.lua", names(100))
	d.load(d.read())
	d.write(d.dir+"/a.lua", names(101))
	if _, err := scripting.Load(d.read(), scripting.Options{}); err == nil || !strings.Contains(err.Error(), "scripts name more than 100 files") {
		t.Errorf("101 files load with %v", err)
	}
}

// TestWhatReferencedFilesCost lets a script name files that hold more than it may.
func TestWhatReferencedFilesCost(t *testing.T) {
	d := newDisk(t)
	d.write(d.out+"/once", strings.Repeat("#", 1<<20))
	d.write(d.dir+"/a.lua", fmt.Sprintf(`for i = 1, 50 do sesame.door("d" .. i) { one_time_sequences = %q } end`, d.out+"/once"))
	if _, err := scripting.Load(d.read(), scripting.Options{}); err == nil || !strings.Contains(err.Error(), "more than 3500000 steps") {
		t.Errorf("it loads with %v", err)
	}
}

func TestStoredReferencedFiles(t *testing.T) {
	d := newDisk(t)
	d.write(filepath.Dir(d.dir)+"/knockd.conf", "[a]\nsequence = 1,2\none_time_sequences = once\n")
	d.write(filepath.Dir(d.dir)+"/once", "3,4\n5,6\n")
	d.write(d.dir+"/a.lua", `sesame.knockd "../knockd.conf"`)
	files := d.read()
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()

	t.Log("# all of them, as in a recording: the disk is never read")
	if err := errors.Join(os.Remove(filepath.Dir(d.dir)+"/knockd.conf"), os.Remove(filepath.Dir(d.dir)+"/once")); err != nil {
		t.Fatal(err)
	}
	kept := source.Of("the recording", "", set.Files)
	kept.Base = files.Base
	same, err := scripting.Load(kept, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	if len(same.Engine.Doors[0].OneTime.Sequences) != 2 || same.Engine.Doors[0].OneTime.File != set.Engine.Doors[0].OneTime.File {
		t.Errorf("the door is %+v", same.Engine.Doors[0].OneTime)
	}

	t.Log("# one is missing")
	var some []source.File
	for _, f := range set.Files {
		if !f.OneTime {
			some = append(some, f)
		}
	}
	missing := source.Of("the recording", "", some)
	missing.Base = files.Base
	if _, err := scripting.Load(missing, scripting.Options{}); err == nil || !strings.Contains(err.Error(), "it was not kept with the scripts") {
		t.Errorf("it loads with %v", err)
	}

	t.Log("# the rest comes from elsewhere, as one-time sequences of the last good set do")
	rest := source.Of("kept", "", some)
	rest.Base, rest.ReadReferenced = files.Base, func(string) ([]byte, error) { return []byte("#,4\n5,6\n"), nil }
	last, err := scripting.Load(rest, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	if n := len(last.Engine.Doors[0].OneTime.Sequences); n != 1 {
		t.Errorf("%d sequences, want the one that is not marked", n)
	}
}

// TestLengthsOfReferencedFiles: what a file is for decides how long it may be.
func TestLengthsOfReferencedFiles(t *testing.T) {
	texts := map[string]string{"a.lua": "", "/small": strings.Repeat("#", source.SmallFile), "/large": strings.Repeat("#", source.SmallFile+1)}
	for i := range 3 {
		texts[fmt.Sprintf("/huge%d", i)] = strings.Repeat("#", source.LargeFile)
	}
	files := sourcetest.Files(texts)
	scripts := files.Scripts()
	for _, tt := range []struct {
		path  string
		limit int
		want  string // of the error; "": none
	}{
		{"/small", source.SmallFile, ""},
		{"/large", source.SmallFile, "reading /large: it is longer than 1 MiB"},
		{"/large", source.LargeFile, ""},
		{"/huge0", source.LargeFile, ""},
		{"/huge1", source.LargeFile, "reading /huge1: scripts name files of more than 128 MiB together"},
	} {
		_, err := scripts.Reference(tt.path, tt.limit, false)
		if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
	scripts.Close()

	t.Log("# what nobody names any more does not count")
	scripts = files.Scripts()
	for _, path := range []string{"/huge1", "/huge2"} {
		if _, err := scripts.Reference(path, source.LargeFile, false); err != nil {
			t.Error(err)
		}
	}
}

// TestUnchangedFilesAreParsedOnce reads files again of which one changed.
func TestUnchangedFilesAreParsedOnce(t *testing.T) {
	parses := 0
	parse := func(text []byte) (any, error) { parses++; return string(text), nil }
	load := func(files *source.Files, want string) {
		scripts := files.Scripts()
		defer scripts.Close()
		for range 2 {
			file, err := scripts.Reference("/list", source.LargeFile, false)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := file.Parsed("a", parse); got != want || err != nil {
				t.Errorf("parsed is %q, %v, want %q", got, err, want)
			}
		}
	}
	read := func(text string) *source.Files {
		return source.Of("", "", []source.File{{Path: "/list", Source: []byte(text)}})
	}
	first := read("1")
	load(first, "1")
	for i, tt := range []struct {
		text   string
		parses int
	}{{"1", 1}, {"2", 2}, {"2", 2}, {"1", 3}} {
		next := read(tt.text)
		next.Reuse(first)
		load(next, tt.text)
		if parses != tt.parses {
			t.Errorf("step %d: %d parses, want %d", i, parses, tt.parses)
		}
		first = next
	}
}
