package daemon

import (
	"context"

	"sesame/daemon/control"
	"sesame/scripting/source"
)

// This file is what is known of the files that run: whether their tests passed. It outlives other
// files that were rejected in the meantime.

// unproved reports whether tests of these files failed or did not run, for whatever reason. Then a
// person who asks for a reload asks for them, also when the files are those that run.
func (o *outcome) unproved() bool {
	return o.tests != nil && (o.tests.NotRunCount > 0 || o.tests.Failed > 0 || o.tests.SkippedCount > 0 || o.tests.Off == offOnRequest)
}

// noteStanding keeps an outcome when its files run.
func (r *reloader) noteStanding(now current, files *source.Files, o *outcome) {
	switch {
	case o.kind == control.Applied, o.kind == control.Unchanged:
		r.standing = *o
	case o.testFailed() && !now.lastGood && files.Compare(now.files) == source.Same:
		o.text += "\nthese are the scripts that run, and they go on"
		r.standing = *o
	}
}

// noteUnchanged records that the files are those that run, so that an earlier rejected or held
// reload of others is over. What was tried from elsewhere is over when a person asks for a reload.
func (r *reloader) noteUnchanged(ctx context.Context, files *source.Files, hint bool) {
	if r.trial == nil && r.held != nil && r.from == "" { // they are those that run
		r.held = nil
		r.keepRunning(ctx)
	}
	if r.from == "" {
		r.seen = files
	} else if hint { // of other files
		return
	}
	over := false
	r.loop.do(ctx, func() {
		r.unreadable = nil
		if r.last.kind != control.Rejected && r.last.kind != control.Held || r.last.at.Equal(r.standing.at) {
			return
		}
		if hint && r.last.trial != nil && r.last.trial.from != "" {
			return
		}
		over = true
		if r.standing.kind != control.Rejected {
			r.standing = outcome{kind: control.Unchanged, generation: r.generation, tests: r.standing.tests}
		}
		r.standing.at = r.loop.clock.now()
		r.last = r.standing
	})
	if over {
		r.sendReferenced(files)
		r.log.Info("the scripts are again those that run", "generation", r.generation)
	}
}
