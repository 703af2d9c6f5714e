package control

import (
	"context"
	"fmt"
	"io"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A reader takes at most so many events at once, and pauses between two times:
// no flood of knocks makes those who watch it take the daemon's processor. Up
// to 10,000 events at once are lost to nobody, nor 50,000 in a second.
const (
	atOnce = 1000
	pause  = 20 * time.Millisecond
)

// An eventWriter is a transcript in one of its forms.
type eventWriter interface {
	Begin(doors []string)
	Events([]engine.Event)
	Flush() error
}

// EventsRequest says how events are to be told.
type EventsRequest struct {
	Follow bool // go on with those that come
	JSON   bool // the transcript's JSON Lines instead of lines for people
	Color  bool // of lines for people
}

// writeTail writes the events that there are, and when asked to those that
// come, until the context ends. Out is flushed after each batch.
func writeTail(ctx context.Context, t *Tail, r EventsRequest, out io.Writer, flush func() error) error {
	var lines eventWriter = transcript.NewText(out, transcript.TextOptions{Color: r.Color})
	if r.JSON {
		lines = transcript.NewJSON(out)
	}
	lines.Begin(nil)
	from, end := t.bounds()
	batch := make([]engine.Event, atOnce)
	for {
		room := batch
		if !r.Follow {
			room = batch[:min(atOnce, end-from)]
		}
		n, first, changed := t.read(from, room)
		if first > from {
			if err := lines.Flush(); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, missed(r.JSON), first-from); err != nil {
				return err
			}
		}
		lines.Events(room[:n])
		from = first + uint64(n)
		if err := lines.Flush(); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
		if !r.Follow {
			if from >= end {
				return nil
			}
			continue
		}
		if err := wait(ctx, n, changed); err != nil {
			return err
		}
	}
}

// wait returns when there may be more to read.
func wait(ctx context.Context, n int, changed <-chan struct{}) error {
	if n == 0 {
		select {
		case <-changed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-after(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// missed is the line that stands for events which came faster than they could
// be told.
func missed(json bool) string {
	if json {
		return `{"event":"skipped","events":%d}` + "\n"
	}
	return "(%d events are left out: they came faster than they could be shown)\n"
}
