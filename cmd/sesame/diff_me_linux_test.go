package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheCallersAddress finds the login of a process in a /proc of files: parents, and what their
// environments say.
func TestTheCallersAddress(t *testing.T) {
	stat := func(parent string) string {
		return "1 (a (b) c) S " + parent + strings.Repeat(" 0", 17) + " 100 0"
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"sudo cleared the environment", map[string]string{"9/stat": stat("8"), "8/stat": stat("7"), "8/environ": "PATH=/bin\x00USER=root\x00", "7/stat": stat("1"),
			"7/environ": "A=b\x00SSH_CONNECTION=203.0.113.9 50000 192.0.2.1 22\x00"}, "203.0.113.9"},
		{"one that must not be read", map[string]string{"9/stat": stat("8"), "8/stat": stat("7"), "7/stat": stat("1"), "7/environ": "SSH_CONNECTION=2001:db8::9 50000 2001:db8::1 22\x00"}, "2001:db8::9"},
		{"the nearest", map[string]string{"9/stat": stat("8"), "8/stat": stat("7"), "8/environ": "SSH_CONNECTION=203.0.113.9 5 192.0.2.1 22", "7/stat": stat("1"), "7/environ": "SSH_CONNECTION=203.0.113.8 5 192.0.2.1 22"}, "203.0.113.9"},
		{"an address of IPv4 in IPv6", map[string]string{"9/stat": stat("8"), "8/stat": stat("1"), "8/environ": "SSH_CONNECTION=::ffff:203.0.113.9 5 ::1 22"}, "203.0.113.9"},
		{"a zone", map[string]string{"9/stat": stat("8"), "8/stat": stat("1"), "8/environ": "SSH_CONNECTION=fe80::9%eth0 5 fe80::1%eth0 22"}, "fe80::9"},
		{"this host", map[string]string{"9/stat": stat("8"), "8/stat": stat("1"), "8/environ": "SSH_CONNECTION=127.0.0.1 5 127.0.0.1 22"}, "invalid IP"},
		{"nonsense", map[string]string{"9/stat": stat("8"), "8/stat": stat("1"), "8/environ": "SSH_CONNECTION=home"}, "invalid IP"},
		{"a console", map[string]string{"9/stat": stat("1"), "1/stat": stat("0"), "1/environ": "SSH_CONNECTION=203.0.113.9 5 192.0.2.1 22"}, "invalid IP"},
		{"a process that is its own parent", map[string]string{"9/stat": stat("9")}, "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := proc(dir).connection(9).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
