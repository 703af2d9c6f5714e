package daemon

import (
	"errors"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/writable"
	"sesame/scripting/difference"
)

// maxLoggedChanges bounds the changes in a line of the log, in doors and the like.
const maxLoggedChanges = 10

// An outcome is what became of a reload.
type outcome struct {
	kind       control.ReloadOutcome
	generation int                 // of the set that runs now
	doors, was int                 // of the sets after and before, when it was applied
	text       string              // why it was not applied
	changes    []difference.Change // when it was applied
	tests      *control.Tests      // nil: none were run
	unread     []string            // when it was applied: what is stored and no script reads
	held       []packet.Port       // guards that a person must release
	writable   []writable.Finding  // what other users can change, when that holds the scripts
	at         time.Time           // engine time
	trial      *trialTold          // that it began or ended; nil: none
	hold       control.Hold        // why files are held that have no fault
	refusal    control.Refusal     // why nothing was done; "": something was
}

// refused returns why nothing was done, as an error.
func (o *outcome) refused() error {
	if o.refusal == "" {
		return nil
	}
	return o.refusal
}

// testsLogged returns what a line of the log says of tests.
func (o *outcome) testsLogged() []any {
	if o.tests == nil || o.tests.Off != "" {
		return nil
	}
	return []any{"tests_passed", o.tests.Passed}
}

// refuse notes why scripts were not applied: they have errors, or others can change them.
func (o *outcome) refuse(err error) {
	o.kind, o.text = control.Rejected, err.Error()
	if held, ok := errors.AsType[*heldError](err); ok {
		o.kind, o.writable = control.Held, held.found
	}
}

func (o *outcome) testFailed() bool { return o.tests != nil && o.tests.Failed > 0 }

func (r *reloader) logOutcome(o outcome) {
	switch o.kind {
	case control.Applied:
		r.log.Info("scripts applied", append([]any{"generation", o.generation, "doors", o.doors, "before", o.was, "changes", difference.Text(o.changes, maxLoggedChanges)}, o.testsLogged()...)...)
		for _, line := range o.unread {
			r.log.Warn("no script reads what is stored under a name", "unread", line)
		}
		if o.doors == 0 && o.was > 0 {
			r.log.Warn("no door is left: nobody can knock", "scripts", r.path, "before", o.was)
		}
	case control.Rejected:
		if o.testFailed() {
			r.log.Warn("scripts rejected, since a test fails: the old ones stay", "generation", o.generation, "error", o.text, "next", control.TestsFailedNext)
			return
		}
		r.log.Warn("scripts rejected: the old ones stay", "generation", o.generation, "error", o.text)
	case control.Held:
		r.log.Warn("scripts held: the old ones stay", "generation", o.generation, "reason", o.text)
	case control.Unchanged:
		r.log.Info("files beside the scripts changed, and the scripts did not", append([]any{"generation", o.generation}, o.testsLogged()...)...)
	}
}
