package suite

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestClosedFiles has files that this process may not open. Whoever may opens them, or says why the
// test is skipped.
func TestClosedFiles(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}
	there := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(there, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		open func(string) (*os.File, error)
		err  error
		why  string // the test is skipped
	}{
		{"nobody may", nil, denied, "x cannot be read: open /x: permission denied"},
		{"another may", func(string) (*os.File, error) { return os.Open(there) }, denied, ""},
		{"another may not", func(string) (*os.File, error) { return nil, errors.New("ask root") }, denied, "x cannot be read: ask root"},
		{"another says that it is missing", func(string) (*os.File, error) { return nil, syscall.ENOENT }, denied, ""},
		{"it is missing", func(string) (*os.File, error) { return nil, errors.New("asked") }, fs.ErrNotExist, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Config{OpenClosed: tt.open}
			file, err := c.orClosed("/x", nil, tt.err)
			if file != nil {
				if text, err := io.ReadAll(file); err != nil || string(text) != "text" {
					t.Errorf("read %q, %v", text, err)
				}
			}
			r := &running{config: c}
			if skipped := r.judge("x", file, err); r.result.Why != tt.why || errors.Is(skipped, errSkipped) != (tt.why != "") {
				t.Errorf("%q, %v; want %q", r.result.Why, skipped, tt.why)
			}
			if file == nil && tt.why == "" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want that it is missing", err)
			}
		})
	}
}
