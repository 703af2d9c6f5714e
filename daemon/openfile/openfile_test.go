package openfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// kinds makes a file of each kind, and returns them by their names.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(at("file"), []byte("text"), 0o600), os.Mkdir(at("directory"), 0o700), unix.Mkfifo(at("pipe"), 0o600),
		os.Symlink("file", at("link")), os.Symlink("/dev/full", at("link to a device")), os.Symlink("loop", at("loop")))
	socket, err := net.Listen("unix", at("socket"))
	must(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	all := map[string]string{"/dev/null": "/dev/null", "/dev/full": "/dev/full"}
	for _, name := range []string{"file", "directory", "pipe", "link", "link to a device", "loop", "socket", "none"} {
		all[name] = at(name)
	}
	return all
}

// TestKinds opens each kind in each way.
func TestKinds(t *testing.T) {
	for name, path := range kinds(t) {
		wrong := map[string]error{"directory": ErrDirectory, "loop": unix.ELOOP, "none": fs.ErrNotExist, "file": nil, "link": nil}
		expect := func(how string, file *os.File, got error, also map[string]error) {
			t.Helper()
			if file != nil {
				defer file.Close()
			}
			want, listed := wrong[name]
			if other, special := also[name]; special {
				want, listed = other, true
			}
			if !listed {
				want = ErrNotRegular
			}
			if !errors.Is(got, want) || (got == nil) != (file != nil) {
				t.Errorf("%s, %s: %v, want %v", how, name, got, want)
			}
			if failed, ok := errors.AsType[*fs.PathError](got); got != nil && (!ok || failed.Path != path || strings.Count(got.Error(), "open") != 1) {
				t.Errorf("%s, %s: the path is not named once: %v", how, name, got)
			}
		}
		file, _, err := Regular(path)
		expect("Regular", file, err, nil)
		file, err = Ready(path)
		expect("Ready", file, err, map[string]error{"pipe": nil, "/dev/null": nil})
		if name != "pipe" {
			file, err = Input(path)
			expect("Input", file, err, map[string]error{"/dev/null": nil})
		}
		file, err = Append(path)
		expect("Append", file, err, map[string]error{"pipe": unix.ENXIO, "/dev/null": nil})
	}
}

// TestBelow opens each kind below its directory, where no link leads out of it.
func TestBelow(t *testing.T) {
	all := kinds(t)
	dir := filepath.Dir(all["file"])
	root, err := os.OpenRoot(dir)
	must(t, err, os.Symlink(dir+"/file", dir+"/out"))
	defer root.Close()
	for name, want := range map[string]error{"file": nil, "link": nil, "directory": ErrDirectory, "pipe": ErrNotRegular, "socket": ErrNotRegular, "none": fs.ErrNotExist} {
		file, info, err := RegularBelow(root, name)
		if !errors.Is(err, want) || (err == nil) != (file != nil) || err == nil && !info.Mode().IsRegular() {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if file != nil {
			_ = file.Close()
		}
	}
	for _, name := range []string{"out", "link to a device", "loop", "../" + filepath.Base(dir) + "/file"} {
		if file, _, err := RegularBelow(root, name); err == nil {
			_ = file.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

// TestFilesOfTheKernel opens files that are regular by their mode. To read some of them never ends.
func TestFilesOfTheKernel(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink("/proc/kmsg", link))
	for _, path := range []string{"/proc/kmsg", link, "/proc/self/status", "/sys/kernel/uevent_seqnum"} {
		if _, err := os.Stat(path); err != nil {
			t.Logf("not on this machine: %v", err)
			continue
		}
		regular, _, err := Regular(path)
		input, err2 := Input(path)
		ready, err3 := Ready(path)
		added, err4 := Append(path)
		for i, file := range []*os.File{regular, input, ready, added} {
			if err := []error{err, err2, err3, err4}[i]; file != nil || !errors.Is(err, ErrKernel) || !errors.Is(err, ErrNotRegular) {
				t.Errorf("%s, way %d: %v", path, i, err)
			}
		}
	}
}

// TestAPipeByItsNumber is what a shell gives a program for <(command).
func TestAPipeByItsNumber(t *testing.T) {
	reader, writer, err := os.Pipe()
	must(t, err)
	defer reader.Close()
	_, err = writer.WriteString("text")
	must(t, err, writer.Close())
	file, err := Input(fmt.Sprintf("/proc/self/fd/%d", reader.Fd()))
	must(t, err)
	defer file.Close()
	if text, err := io.ReadAll(file); string(text) != "text" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// TestWhoMayRead has a file that this process may see, and not read.
func TestWhoMayRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	must(t, os.WriteFile(path, nil, 0o200))
	_, _, err := Regular(path)
	if failed, ok := errors.AsType[*fs.PathError](err); os.Geteuid() != 0 && (!ok || failed.Path != path || !errors.Is(err, fs.ErrPermission)) {
		t.Errorf("got %v", err)
	}
}

// TestAPipe reads what another writes, to its end.
func TestAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(path, 0o600))
	file, err := Ready(path)
	must(t, err)
	defer file.Close()
	if text, err := io.ReadAll(file); len(text) != 0 || err != nil {
		t.Errorf("nobody writes: %q, %v", text, err)
	}
	writer, err := Append(path)
	must(t, err)
	go func() {
		_, _ = writer.WriteString("text")
		_ = writer.Close()
	}()
	if text, err := io.ReadAll(file); string(text) != "text" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// TestAPipeIsWaitedFor opens a pipe to which nobody writes yet.
func TestAPipeIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(path, 0o600))
	read := make(chan string)
	go func() {
		file, err := Input(path)
		if err != nil {
			read <- err.Error()
			return
		}
		defer file.Close()
		text, _ := io.ReadAll(file)
		read <- string(text)
	}()
	writer, err := os.OpenFile(path, os.O_WRONLY, 0) // it waits for the reader
	must(t, err)
	_, err = writer.WriteString("text")
	must(t, err, writer.Close())
	if text := <-read; text != "text" {
		t.Errorf("got %q", text)
	}
}

// TestExchanged puts another file at the path between its two looks.
func TestExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	must(t, os.WriteFile(path, []byte("first"), 0o600))
	exchange := func(fs.FileInfo) error {
		return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600))
	}
	file, info, err := open(path, readFlags, exchange)
	must(t, err)
	defer file.Close()
	if text, err := io.ReadAll(file); string(text) != "first" || err != nil || !info.Mode().IsRegular() {
		t.Errorf("got %q, %v of %v", text, err, info.Mode())
	}
	if other, err := sameFile(path, readFlags, info); err == nil {
		_ = other.Close()
		t.Error("another file was taken for the same")
	}
	if same, err := sameFile(filepath.Dir(path), readFlags, info); err == nil {
		_ = same.Close()
		t.Error("a directory was taken for the same")
	}
}
