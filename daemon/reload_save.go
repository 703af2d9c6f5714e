package daemon

import (
	"context"
	"time"

	"sesame/scripting"
	"sesame/scripting/source"
)

// saveRetry is the time until a set that could not be saved is saved again.
const saveRetry = 10 * time.Second

// keep saves a set that runs for the next start, and arranges for another try when that fails.
func (r *reloader) keep(set *scripting.Set, files *source.Files) {
	r.saveAgain = nil
	if r.save(set, files) != nil {
		r.saveAgain = after(saveRetry)
	}
}

// keepRunning keeps the set that runs.
func (r *reloader) keepRunning(ctx context.Context) {
	if now, err := r.current(ctx); err == nil {
		r.keep(now.set, now.files)
	}
}
