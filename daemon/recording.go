package daemon

import (
	"context"
	"io"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/record"
)

// record writes what the flight recorder holds, as pcapng.
func (d *daemon) record(ctx context.Context, w io.Writer) error {
	recording, err := d.recorded(ctx)
	if err == nil {
		_, err = recording.WriteTo(w)
	}
	return err
}

// recordWithheld is record without the one-time sequences.
func (d *daemon) recordWithheld(ctx context.Context, w io.Writer) error {
	recording, err := d.recorded(ctx)
	if err == nil {
		_, err = recording.Withhold().WriteTo(w)
	}
	return err
}

// recorded returns what the flight recorder holds.
func (d *daemon) recorded(ctx context.Context) (*record.Recording, error) {
	var recording *record.Recording
	if !d.loop.do(ctx, func() {
		if d.loop.recorder == nil {
			return
		}
		if recording = d.loop.recorder.Recording(); recording != nil {
			recording.Interfaces = d.links.Names()
		}
	}) {
		return nil, unanswered(ctx)
	}
	if recording == nil {
		return nil, control.Refusal("nothing is recorded: the configuration sets record.size to 0")
	}
	return recording, nil
}

// recordGiven records what the input at hand was given beside itself: the answers to what it asked,
// and which functions the clock ended. A replay must have them before the input.
func (l *loop) recordGiven(at time.Time) {
	l.recorder.Facts(at, l.engine.Asked())
	l.recorder.Timeouts(at, l.engine.Timeouts())
}
