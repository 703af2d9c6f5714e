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
// waits in a file of dir meanwhile, which has no name. Without secrets no file holds these.
func (p *program) fetchRecording(ctx context.Context, daemon *control.Client, secrets bool, dir string, to io.Writer) (err error) {
	raw, err := os.CreateTemp(dir, ".recording.*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	if err := os.Remove(raw.Name()); err != nil {
		return err
	}
	fetch := daemon.RecordWithheld
	if secrets {
		fetch = daemon.Record
	}
	if err := fetch(ctx, raw); err != nil {
		return err
	}
	return p.annotate(ctx, daemon, to, raw)
}

// annotate copies a recording with comments. One that cannot be replayed is copied as it is.
func (p *program) annotate(ctx context.Context, daemon *control.Client, to io.Writer, raw *os.File) error {
	if _, err := raw.Seek(0, io.SeekStart); err != nil {
		return err
	}
	comments, err := simulate.Comments(raw)
	if errors.Is(err, simulate.ErrWithheld) {
		comments, err = commentsOfWhole(ctx, daemon)
	}
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

// commentsOfWhole replays what the daemon recorded, with one-time sequences: packets have the same
// numbers there.
func commentsOfWhole(ctx context.Context, daemon *control.Client) (comments map[int]string, err error) {
	err = streamRecording(ctx, daemon, func(recording io.Reader) error {
		var err error
		comments, err = simulate.Comments(recording)
		return err
	})
	return comments, err
}
