package daemon

import (
	"context"
	"errors"
	"time"

	"sesame/scripting"
	"sesame/scripting/source"
)

// saveRetry is the time until a set that could not be saved is saved again.
const saveRetry = 10 * time.Second

// keep saves a set that runs for the next start.
func (r *reloader) keep(set *scripting.Set, files *source.Files) { r.kept(r.save(set, files)) }

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
	if now, err := r.current(ctx); err == nil {
		r.keep(now.set, now.files)
	}
}
