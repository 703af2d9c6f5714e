package record

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenRegular opens captures for somebody who does not wait.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	capture, pipe := filepath.Join(dir, "capture"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(capture, pcap(t, samples(3)), 0o600), unix.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRegular(capture)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	for _, path := range []string{pipe, "/dev/null", dir} {
		_, err := OpenRegular(path)
		if _, is := errors.AsType[*NotCaptureError](err); !is {
			t.Errorf("%s: %v", path, err)
		}
	}
}
