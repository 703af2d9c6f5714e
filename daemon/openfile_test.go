package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/config"
	"sesame/daemon/effect"
	"sesame/daemon/executable"
	"sesame/daemon/geofile"
	"sesame/daemon/knockdlog"
	"sesame/daemon/record"
	"sesame/scripting"
	"sesame/scripting/source"
)

// TestNamedFilesAreNotOpened names a device wherever a person can name a file. To open a device
// can have an effect, as with /dev/watchdog, so the kernel reports when it is opened.
func TestNamedFilesAreNotOpened(t *testing.T) {
	const device = "/dev/full"
	opened := noticeOpens(t, device)
	file, err := os.Open(device)
	must(t, err, file.Close())
	if !opened() {
		t.Fatal("an open is not noticed")
	}
	dir := t.TempDir()
	must(t, os.Symlink(device, dir+"/a.lua"), os.Symlink(device, dir+"/sesame.toml"))
	for name, open := range map[string]func() error{
		"a script":    func() error { return loadFrom(dir + "/a.lua") },
		"a directory": func() error { return loadFrom(dir) },
		"a list":      func() error { return loadText(t, `sesame.networks { file = "/dev/full" }`) },
		"one-time sequences": func() error {
			return loadText(t, `sesame.door { name = "a", one_time_sequences = "/dev/full", open = "tcp/22" }`)
		},
		"a knockd.conf":   func() error { return loadText(t, `sesame.knockd "/dev/full"`) },
		"a sum":           func() error { _, err := source.Sum(dir, device); return err },
		"a configuration": func() error { _, err := config.Load(dir + "/sesame.toml"); return err },
		"a database":      func() error { _, err := geofile.Read(device); return err },
		"a capture":       func() error { _, err := record.Open(device); return err },
		"a program":       func() error { executable.Problem([]string{device}); executable.Files([]string{device}); return nil },
		"a used sequence": func() error { return effect.CommentOut(device, "1,2") },
		"the log of knockd": func() error {
			_, err := knockdlog.Open(config.Log{Knockd: config.Value{Text: device}}, "", nil, hclog.NewNullLogger())
			return err
		},
	} {
		err := open()
		if opened() {
			t.Errorf("%s: it was opened", name)
		}
		if err == nil && name != "a program" && name != "a sum" {
			t.Errorf("%s: the device is taken", name)
		}
	}
}

// loadFrom reads and loads scripts.
func loadFrom(path string) error {
	files, err := source.Read(path)
	if err != nil {
		return err
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err == nil {
		set.Close()
	}
	return err
}

// loadText loads one script.
func loadText(t *testing.T, text string) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.lua")
	writeFile(t, path, text)
	return loadFrom(path)
}

// noticeOpens returns a function that tells whether a file was opened since it was called last. A
// handle of O_PATH does not count: inotify(7).
func noticeOpens(t *testing.T, path string) func() bool {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	_, err = unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
	must(t, err)
	events := make([]byte, 64*unix.SizeofInotifyEvent)
	return func() bool {
		n, _ := unix.Read(fd, events) // it does not wait
		return n > 0
	}
}
