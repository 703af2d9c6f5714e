package source_test

import (
	"testing"

	"sesame/scripting/source"
)

// A line is commented out as its file on the disk is.
func TestFilesWithoutALine(t *testing.T) {
	const path = "/var/lib/once"
	files := func(text string) *source.Files {
		return source.Of("scripts", "", []source.File{{Path: "a.lua", Source: []byte("-- a")}, {Path: path, Source: []byte(text)}})
	}
	for _, c := range []struct{ name, text, line, want string }{
		{"the first", "1,2\n3,4\n", "1,2", "#,2\n3,4\n"},
		{"the last, without an end", "1,2\n3,4", "3,4", "1,2\n#,4"},
		{"with blanks", " 1,2\t\r\n3,4\n", "1,2", "#1,2\t\r\n3,4\n"},
		{"of two the first", "1,2\n1,2\n", "1,2", "#,2\n1,2\n"},
		{"none", "1,2\n", "3,4", "1,2\n"},
		{"an empty one", "\n1,2\n", "", "\n1,2\n"},
		{"nothing", "", "1,2", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := files(c.text)
			after := before.WithoutLine(path, c.line)
			if got := textOf(after, path); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := textOf(before, path); got != c.text {
				t.Errorf("the files before have %q now", got)
			}
			if (after == before) != (c.want == c.text) || (after.Sum == before.Sum) != (c.want == c.text) {
				t.Error("the files, or their hash, are not as the text says")
			}
		})
	}
	if f := files("1,2"); f.WithoutLine("/var/lib/other", "1,2") != f {
		t.Error("a file that is not there changes something")
	}
}

func textOf(f *source.Files, path string) string {
	for _, one := range f.Stored() {
		if one.Path == path {
			return string(one.Source)
		}
	}
	return ""
}
