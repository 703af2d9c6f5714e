package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"sesame/daemon/privileged"
	"sesame/scripting/source"
)

// readAgain reads the scripts of the configuration and what they name, itself or through the
// helper. What did not change since loaded is taken from there; nil: nothing was loaded.
func (d *daemon) readAgain(ctx context.Context, loaded *source.Files, referenced []string) (*source.Files, error) {
	return d.readAt(ctx, "", loaded, referenced)
}

// readAt is readAgain for scripts at a path; "": at that of the configuration.
func (d *daemon) readAt(ctx context.Context, path string, loaded *source.Files, referenced []string) (*source.Files, error) {
	if d.helper != nil {
		return d.readByHelper(ctx, path, loaded)
	}
	if path == "" {
		path = d.config.Scripts
	}
	if loaded == nil {
		return source.Read(path, referenced...)
	}
	return source.ReadAgain(path, loaded, referenced...)
}

// readByHelper lets the helper read, which finds the referenced files itself.
func (d *daemon) readByHelper(ctx context.Context, path string, loaded *source.Files) (*source.Files, error) {
	h := d.helper
	read, err := h.read(ctx, path)
	if err != nil {
		return nil, err
	}
	files := read.Files
	if err := d.sameSettings(path, files, read.Values); err != nil {
		return nil, err
	}
	if loaded != nil {
		files.Reuse(loaded)
	}
	h.noteVerdict(read)
	return files, nil
}

// read asks the helper for the set at a path; "": at that of the configuration. When ctx ends it
// waits no longer: the disk may hang.
func (h *helper) read(ctx context.Context, path string) (*privileged.Reading, error) {
	type result struct {
		read *privileged.Reading
		err  error
	}
	select {
	case h.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := make(chan result, 1)
	h.tasks.Go(func() {
		defer func() { <-h.reading }()
		client, err := h.current(ctx, 0, nil)
		if err != nil {
			done <- result{err: fmt.Errorf("reading the scripts: %w", err)}
			return
		}
		read, err := client.Read(ctx, path)
		done <- result{read, err}
	})
	select {
	case r := <-done:
		return r.read, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sameSettings returns an error when the helper reads other scripts than this daemon was started
// for, or with other values: then it would know other commands.
func (d *daemon) sameSettings(path string, files *source.Files, values map[string]string) error {
	theirs := below(absolute(files.Dir), files.Single)
	if ours := absolute(cmp.Or(path, d.config.Scripts)); theirs != ours {
		return fmt.Errorf("the helper reads the scripts at %s, and this daemon was started for %s: give both in sesame.toml", theirs, ours)
	}
	if !maps.Equal(values, d.values()) {
		return errors.New("the helper has other values for the options of the scripts than this daemon: give them in sesame.toml, and start Sesame again when it has changed")
	}
	return nil
}

// tellHelper tells the helper, if there is one, which of the files that it read run.
func (d *daemon) tellHelper(files *source.Files, onTrial bool) {
	if d.helper != nil {
		d.helper.runs(files, onTrial)
	}
}

// vetByHelper returns why files are not loaded that the helper read; loaded means that they load
// here.
func (h *helper) vetByHelper(files *source.Files, loaded bool) error {
	v := h.verdict(files)
	switch {
	case v == nil:
		return errors.New("the helper has not read these scripts")
	case v.Held != "":
		return &heldError{text: v.Held}
	case v.Trouble != "" && loaded:
		return errors.New("the helper runs no command of these scripts: " + v.Trouble)
	}
	return nil
}
