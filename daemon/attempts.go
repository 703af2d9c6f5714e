package daemon

import (
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// This file carries attempts over a stop and a start. A crash loses them, and packets that come
// while no daemon runs are lost, too.

// continueAttempts gives the engine what the last stop saved, before the first packet.
func (d *daemon) continueAttempts(found stateFound) {
	if found.attemptsErr != nil {
		d.config.Log.Info("attempts in progress begin anew", "reason", found.attemptsErr)
	}
	if found.attempts.State == nil {
		return
	}
	e := d.loop.engine
	carried := e.Recognise(found.attempts)
	d.loop.inputAt(d.since, record.Input{Kind: record.InputContinue, Carried: &carried}, func(now time.Time) []engine.Event {
		return e.Continue(now, carried)
	})
}

// saveAttempts saves the attempts for the next start, when the loop has ended by itself. It waits
// for the disk no longer than for anything else.
func (d *daemon) saveAttempts() {
	if d.loop == nil {
		return
	}
	select {
	case <-d.loop.ended:
	default:
		return // it never ran, or a disk holds it up
	}
	dir, err := d.state.open()
	if err != nil {
		return // people were told
	}
	carried := d.loop.engine.Carry()
	if err := within(savePatience, func() error { return dir.SaveAttempts(carried) }); err != nil {
		d.config.Log.Warn("attempts in progress are not saved, and begin anew after the next start", "error", err)
	}
}
