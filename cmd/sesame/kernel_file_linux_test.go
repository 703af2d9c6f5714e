package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesThatNeverAnswer names a file of the kernel where a file is read. To read this one would
// wait for the next message of the kernel.
func TestFilesThatNeverAnswer(t *testing.T) {
	const kernel = "/proc/kmsg"
	if _, err := os.Stat(kernel); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	script, link, list := filepath.Join(dir, "a.lua"), filepath.Join(dir, "link.lua"), filepath.Join(dir, "list.lua")
	for path, text := range map[string]string{
		script: `sesame.door "a" { sequence = { 1, 2 }, on_open = function(a) a:log "x" end }`,
		list:   `sesame.knockd "` + kernel + `"`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(kernel, link); err != nil {
		t.Fatal(err)
	}
	capture, err := filepath.Abs("../../simulate/testdata/version1.pcapng.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"simulate", "-s", script, kernel},
		{"simulate", "-s", link, capture},
		{"simulate", "-s", list, capture},
		{"check", "-s", list},
		{"run", "-c", kernel},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(args, strings.NewReader(""), &stdout, &stderr); status != couldNot || !strings.Contains(stderr.String(), "of the kernel") {
			t.Errorf("%q: status %d, %s", args, status, stderr.String())
		}
	}
}
