//go:build linux

package privileged

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFilesThatTestsName opens what lies below the directory of the scripts, and nothing else.
func TestFilesThatTestsName(t *testing.T) {
	w := newWorld(t)
	write(t, w.scripts, "captures/a.pcap", "packets")
	large := write(t, w.scripts, "captures/large", "")
	full := write(t, w.scripts, "captures/full", "")
	must(t, os.Truncate(large, maxOpened+1), os.Truncate(full, maxOpened), unix.Mkfifo(filepath.Join(w.scripts, "pipe"), 0o600), os.Symlink(w.other, filepath.Join(w.scripts, "out")),
		os.Symlink("captures/a.pcap", filepath.Join(w.scripts, "link")), os.Symlink("/etc", filepath.Join(w.scripts, "etc")))
	c := w.host().connect()
	for _, tt := range []struct{ path, text, want string }{
		{"captures/a.pcap", "packets", ""},
		{"link", "packets", ""},
		{"captures/none", "", unix.ENOENT.Error()},
		{"none/a.pcap", "", unix.ENOENT.Error()},
		{"captures", "", "it is a directory"},
		{"pipe", "", "it is no ordinary file"},
		{"captures/large", "", "it has more than 1024 MiB"},
		{"out", "", "path escapes from parent"},
		{"etc/passwd", "", "path escapes from parent"},
		{"../other", "", errOutside.Error()},
		{w.other, "", errOutside.Error()},
		{filepath.Join(w.scripts, "a.lua"), "", errOutside.Error()},
		{"", "", errOutside.Error()},
	} {
		file, err := c.Open(t.Context(), tt.path)
		if err != nil {
			if err.Error() != tt.want || errors.Is(err, fs.ErrNotExist) != (tt.want == unix.ENOENT.Error()) {
				t.Errorf("%q: %v, want %s", tt.path, err, tt.want)
			}
			continue
		}
		text, err := io.ReadAll(file)
		if err != nil || string(text) != tt.text || tt.want != "" {
			t.Errorf("%q: %q, %v; want %q, %s", tt.path, text, err, tt.text, tt.want)
		}
		_, err = file.WriteString("x")
		if must(t, file.Close()); err == nil {
			t.Errorf("%q can be written", tt.path)
		}
	}
	file, err := c.Open(t.Context(), "captures/full")
	must(t, err, file.Close())
}

// TestNoFilesBesideOthersWork refuses all while others can change the scripts, and when there is
// one script alone, which is in nobody's directory.
func TestNoFilesBesideOthersWork(t *testing.T) {
	w := newWorld(t)
	write(t, w.scripts, "a.pcap", "packets")
	must(t, os.Chmod(filepath.Join(w.scripts, "a.lua"), 0o666))
	c := w.host().connect()
	if file, err := c.Open(t.Context(), "a.pcap"); err == nil || err.Error() != "the scripts cannot be read, or others can change them" {
		t.Errorf("held: %v, %v", file, err)
	}
	must(t, os.Chmod(filepath.Join(w.scripts, "a.lua"), 0o600))
	_, _, err := c.read(t.Context())
	must(t, err)
	file, err := c.Open(t.Context(), "a.pcap")
	must(t, err, file.Close())

	w.scripts = filepath.Join(w.scripts, "a.lua")
	w.helper = filepath.Join(w.dir, "second")
	if file, err := w.host().connect().Open(t.Context(), "a.pcap"); err == nil || err.Error() != "not a directory" {
		t.Errorf("one script: %v, %v", file, err)
	}
}

// TestFilesOfTheDaemonsUser has a link to a file of root's in a directory that the daemon's user
// can write.
func TestFilesOfTheDaemonsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	w := newWorld(t)
	must(t, os.Chmod(filepath.Dir(w.dir), 0o755), os.Chmod(w.scripts, 0o755))
	secret := write(t, w.scripts, "captures/root", "secret")
	theirs := write(t, w.scripts, "theirs/own", "packets")
	dir, state := filepath.Dir(theirs), filepath.Join(w.dir, "state")
	must(t, os.Symlink("../captures/root", filepath.Join(dir, "link")), os.Mkdir(state, 0o700))
	for _, path := range []string{dir, theirs, state} {
		must(t, os.Chown(path, 990, 991))
	}
	h := w.host()
	h.cfg.Settings = func() (Settings, error) { return Settings{Scripts: w.scripts, State: state}, nil }
	c := h.connect()
	file, err := c.Open(t.Context(), "theirs/own")
	must(t, err, file.Close())
	if file, err := c.Open(t.Context(), "theirs/link"); err == nil || err.Error() != "permission denied" {
		t.Errorf("the link to %s: %v, %v", secret, file, err)
	}
	file, err = c.Open(t.Context(), "captures/root")
	must(t, err, file.Close())
}

// TestOpeningStops waits for no helper whose answer does not come.
func TestOpeningStops(t *testing.T) {
	ours, theirs, err := Pair()
	must(t, err)
	conn, err := Conn(ours)
	must(t, err)
	helper, err := Conn(theirs)
	must(t, err)
	defer helper.Close()
	welcome, err := (&message{kind: kindWelcome, version: ProtocolVersion}).encode()
	must(t, err)
	_, err = helper.Write(welcome)
	must(t, err)
	client, err := NewClient(conn)
	must(t, err)
	defer client.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if file, err := client.Open(ctx, "a.pcap"); !errors.Is(err, context.Canceled) || len(client.waiting) != 0 {
		t.Errorf("got %v, %v, and %d wait", file, err, len(client.waiting))
	}
}
