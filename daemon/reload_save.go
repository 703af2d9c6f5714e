package daemon

import (
	"context"
	"errors"
	"time"

	"sesame/daemon/state"
)

// saveRetry is the time until a set that could not be saved is saved again.
const saveRetry = 10 * time.Second

// keep saves a set that runs for the next start.
func (r *reloader) keep(f inForce) { r.kept(r.save(f, r.held)) }

// saveNow saves a set, and returns when it is on the disk.
func (r *reloader) saveNow(f inForce, held *state.Held) error {
	err := r.save(f, held)
	if errors.Is(err, errSaveRuns) {
		select {
		case err = <-r.saved:
		case <-after(diskPatience):
		}
	}
	r.kept(err)
	return err
}

// kept notes how saving a set ended. When it failed another try is made. While it goes on there is
// none: to write a large set again and again would wear the disk out.
func (r *reloader) kept(err error) {
	r.saveAgain = nil
	if err != nil && !errors.Is(err, errSaveRuns) {
		r.saveAgain = after(saveRetry)
	}
	r.noteSaved(err)
}

// keepRunning keeps the set that runs.
func (r *reloader) keepRunning(ctx context.Context) {
	now, err := r.current(ctx)
	switch {
	case err != nil:
	case r.trial != nil: // a restart returns to the set before
		r.kept(r.save(r.trial.before, r.trial.kept))
	default:
		r.keep(now.inForce)
	}
}
