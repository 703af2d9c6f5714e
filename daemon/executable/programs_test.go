package executable

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPrograms has commands, and what must be among the programs that they run. Data is not.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("hook", "#!"+dir+"/outer -x\n", 0o755)
	write("outer", "#!"+dir+"/inner\n", 0o755)
	write("inner", "#!/bin/sh\n", 0o755)
	write("loop", "#!"+dir+"/loop\n", 0o755)
	write("plain.sh", "true\n", 0o644)
	write("log", "a line\n", 0o644)
	chain := "DIR/hook DIR/outer DIR/inner /bin/sh"
	for command, want := range map[string]string{
		"DIR/hook":                         chain,
		"/bin/sh DIR/plain.sh":             "/bin/sh DIR/plain.sh",
		"/bin/sh DIR/hook":                 "/bin/sh " + chain,
		"/usr/bin/python3.11 DIR/plain.sh": "/usr/bin/python3.11 DIR/plain.sh",
		"/usr/bin/env DIR/hook":            "/usr/bin/env " + chain,
		"/bin/cat DIR/log":                 "/bin/cat",
		"/bin/sh -c exec~DIR/hook":         "/bin/sh " + chain,
		"/bin/sh -c cd~/x&&DIR/hook":       "/bin/sh " + chain,
		"/bin/sh -c .~DIR/plain.sh":        "/bin/sh DIR/plain.sh",
		"/bin/sh -c echo~1>>DIR/log":       "/bin/sh",
		"/bin/sh -c $(DIR/hook)":           "/bin/sh " + chain,
		"/bin/sh -c DIR/none":              "/bin/sh",
		"DIR/loop":                         strings.TrimSpace(strings.Repeat("DIR/loop ", 6)),
	} {
		var argv []string
		for word := range strings.FieldsSeq(strings.ReplaceAll(command, "DIR", dir)) {
			argv = append(argv, strings.ReplaceAll(word, "~", " "))
		}
		got := strings.ReplaceAll(strings.Join(Files(argv), " "), dir, "DIR")
		if got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
	}

	t.Log("# a program in the PATH, and where another one would be taken before it")
	at := found("cat")[0]
	for _, text := range []string{"cat /x", "true; exec cat"} {
		got := Files([]string{"/bin/sh", "-c", text})
		if !slices.Contains(got, "/usr/local/sbin/cat") || !slices.Contains(got, at) {
			t.Errorf("%s: got %s", text, got)
		}
	}
}
