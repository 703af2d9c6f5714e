package suite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sesame/daemon/openfile"
	"sesame/scripting/spec"
)

// path returns a path that a test names.
func (t *running) path(name string) string { return t.config.path(name) }

func (c *Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Dir, name)
}

// open opens a regular file that a test names.
func (c *Config) open(path string) (*os.File, error) {
	file, _, err := openfile.Regular(path)
	return c.orClosed(path, file, err)
}

// openGolden opens a golden transcript, which lies below the directory of the scripts.
func (c *Config) openGolden(name string) (*os.File, error) {
	root, path, err := OpenGolden(c.Dir, name)
	if err != nil {
		return c.orClosed(c.path(name), nil, err)
	}
	defer root.Close()
	file, _, err := openfile.RegularBelow(root, path)
	return c.orClosed(c.path(name), file, err)
}

// A closedError is why a file stays closed to this process.
type closedError struct{ why error }

func (e *closedError) Error() string { return e.why.Error() }
func (e *closedError) Unwrap() error { return e.why }

// orClosed opens a file, of which err says that it was not opened, by who may open more.
func (c *Config) orClosed(path string, file *os.File, err error) (*os.File, error) {
	if !errors.Is(err, fs.ErrPermission) {
		return file, err
	}
	if c.OpenClosed != nil {
		file, err = c.OpenClosed(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = &closedError{err}
	}
	return file, err
}

// missing reports that a capture is missing, or that a file cannot be read. It comes before all
// steps: half of a test says nothing.
func (t *running) missing() error {
	for i := range t.test.Steps {
		s := &t.test.Steps[i]
		if s.Action != spec.Replay {
			continue
		}
		file, err := t.config.open(t.path(s.Capture))
		if err := t.judge(s.Capture, file, err); err != nil {
			return err
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.result.Why = s.Capture + " is missing"
			return errSkipped
		case errors.Is(err, openfile.ErrNotRegular), errors.Is(err, openfile.ErrDirectory):
			t.step = s
			return fmt.Errorf("replay: %s is no regular file", s.Capture) // a pipe could hang
		}
		if s.Golden != "" {
			file, err := t.config.openGolden(s.Golden)
			if err := t.judge(s.Golden, file, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge closes a file, and skips the test when it is closed to this process.
func (t *running) judge(name string, file *os.File, err error) error {
	if file != nil {
		_ = file.Close() // it was only opened
	}
	if closed, ok := errors.AsType[*closedError](err); ok {
		t.result.Why = name + " cannot be read: " + closed.Error()
		return errSkipped
	}
	return nil
}
