package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openClosed opens a file that a test names and that this process may not open, through the helper.
// Its error says what a person can do.
func (d *daemon) openClosed(ctx context.Context, path string) (*os.File, error) {
	path = absolute(path)
	inside, err := filepath.Rel(directoryOf(d.config.Scripts), path)
	isInside := err == nil && filepath.IsLocal(inside)
	switch {
	case d.helper != nil && isInside:
		file, err := d.helper.open(ctx, inside)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("the helper, which is root, does not open it: %w", err)
		}
		return file, err
	case unix.Access(path, unix.R_OK) == nil: // the kernel does not ask the confinement for this
		return nil, errors.New("since its start Sesame reads only where the scripts were then and what they named: restart it, or name the directory in readable in sesame.toml")
	case d.helper != nil:
		return nil, fmt.Errorf("user %s may not: put the file below the directory of the scripts, where the helper opens it", userName())
	}
	return nil, d.explainUnread(&fs.PathError{Op: "open", Path: path, Err: unix.EACCES})
}

// open opens a file below the directory of the scripts.
func (h *helper) open(ctx context.Context, path string) (*os.File, error) {
	client, err := h.current(ctx, 0, nil)
	if err != nil {
		return nil, err
	}
	return client.Open(ctx, path)
}
