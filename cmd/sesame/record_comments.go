//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"

	"sesame/daemon/control"
	"sesame/daemon/record"
	"sesame/simulate"
)

// fetchRecording writes what the daemon recorded, with a comment for each packet that says what it
// did. The comments are made here, by a replay, so they cost the daemon nothing. The recording
// waits in a file of dir meanwhile, which has no name.
func (p *program) fetchRecording(ctx context.Context, daemon *control.Client, dir string, to io.Writer) (err error) {
	raw, err := os.CreateTemp(dir, ".recording.*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	if err := os.Remove(raw.Name()); err != nil {
		return err
	}
	if err := daemon.Record(ctx, raw); err != nil {
		return err
	}
	return p.annotate(to, raw)
}

// annotate copies a recording with comments. One that cannot be replayed is copied as it is.
func (p *program) annotate(to io.Writer, raw *os.File) error {
	if _, err := raw.Seek(0, io.SeekStart); err != nil {
		return err
	}
	comments, err := simulate.Comments(raw)
	if err != nil {
		p.warn("not every packet has a comment: replaying the recording: %v", err)
	}
	if _, err := raw.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if len(comments) == 0 {
		_, err := io.Copy(to, raw)
		return err
	}
	return record.Annotate(to, raw, comments)
}
