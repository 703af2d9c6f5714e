package record

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRegular opens captures for somebody who does not wait.
func TestRegular(t *testing.T) {
	dir := t.TempDir()
	capture, pipe := filepath.Join(dir, "capture"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(capture, pcap(t, samples(3)), 0o600), unix.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	r, err := OpenBy(Regular, capture)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	for _, path := range []string{pipe, "/dev/null", dir} {
		_, err := OpenBy(Regular, path)
		if _, is := errors.AsType[*NotCaptureError](err); !is {
			t.Errorf("%s: %v", path, err)
		}
	}
}
