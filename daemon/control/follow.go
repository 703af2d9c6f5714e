package control

import (
	"context"
	"fmt"
	"io"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A follower reads at most atOnce events, and then pauses. So a flood of knocks does not make
// the followers use all of the processor. No follower loses events in a burst of 10,000, or at
// a rate of 50,000 in a second.
const (
	atOnce = 1000
	pause  = 20 * time.Millisecond
)

// An eventWriter writes a transcript in one of its formats.
type eventWriter interface {
	Begin(doors, captures []string)
	Events([]engine.Event)
	Flush() error
}

// EventsRequest requests the latest events.
type EventsRequest struct {
	Follow bool // send new events too, until the client or the daemon ends
	JSON   bool // JSON Lines instead of lines for people
	Color  bool // in lines for people
}

// writeTail writes the events in the ring. For a follower it also writes new events, until the
// context ends. It calls flush after each batch.
func writeTail(ctx context.Context, t *Tail, r EventsRequest, out io.Writer, flush func() error) error {
	var lines eventWriter = transcript.NewText(out, transcript.TextOptions{Color: r.Color})
	if r.JSON {
		lines = transcript.NewJSON(out)
	}
	lines.Begin(nil, nil)
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

// wait waits until there may be more events. After a batch of n events it pauses; after none it
// waits for the next event.
func wait(ctx context.Context, n int, changed <-chan struct{}) error {
	if n > 0 {
		over, cancel := context.WithTimeout(ctx, pause)
		defer cancel()
		changed = over.Done()
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// missed returns the format of the line for events that were overwritten before they were read.
func missed(json bool) string {
	if json {
		return `{"event":"skipped","events":%d}` + "\n"
	}
	return "(%d events are left out: they came faster than they could be shown)\n"
}
