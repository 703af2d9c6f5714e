package effect

import (
	"errors"
	"maps"
	"time"

	"sesame/daemon/engine"
)

// This file counts what a runner did, and finds out for how long its work waits.

// Work is what a runner did since it was made, and what it has to do. Times are engine time.
type Work struct {
	Queued int       // effects that give something and are not done
	Places int       // for such effects
	Oldest time.Time // since when the one waits that has waited longest; zero: none waits

	Running  int // commands and undos
	Commands int // places for them
	Ran      map[CommandOutcome]int

	Journal JournalWork
}

// JournalWork is what the journal did and has to do.
type JournalWork struct {
	Writes, Failures int
	Took             time.Duration // all writes together
	Pending          int           // records that are not on the disk
	Oldest           time.Time     // since when one of them waits, or a little longer; zero: none does
}

// A CommandOutcome is what became of a command or an undo.
type CommandOutcome struct {
	Undo   bool
	Result CommandResult
}

// A CommandResult is one of the results of a command.
type CommandResult string

// The results.
const (
	CommandSucceeded CommandResult = "ok"
	CommandFailed    CommandResult = "failed"
	CommandHung      CommandResult = "hung"    // it was killed after its time limit
	CommandRefused   CommandResult = "refused" // it did not run: the journal cannot be written, or the daemon stops
)

// CommandResults are all results.
func CommandResults() []CommandResult {
	return []CommandResult{CommandSucceeded, CommandFailed, CommandHung, CommandRefused}
}

// resultOf returns what an error of a command means. Whether its grant stands all the same, as with
// AnyStatus, is the engine's business.
func resultOf(err error) CommandResult {
	_, hung := errors.AsType[HungError](err)
	switch {
	case errors.Is(err, ErrStopped), errors.Is(err, ErrNoJournal):
		return CommandRefused
	case err == nil:
		return CommandSucceeded
	case hung:
		return CommandHung
	}
	return CommandFailed
}

// Work may be called by any goroutine.
func (r *Runner) Work() Work {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.published
	w.Places, w.Commands, w.Queued = r.cfg.Queue, r.cfg.Commands, r.places.all
	w.Ran = maps.Clone(r.ran)
	w.Oldest = earlier(w.Oldest, r.taken)
	if len(r.work.decisions) > 0 {
		w.Oldest = earlier(w.Oldest, r.work.decisions[0].since())
	}
	return w
}

// earlier returns the earlier of two times, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// since returns since when the first effect of a decision waits; zero: it is an installation.
func (d *decision) since() time.Time {
	if len(d.steps) == 0 {
		return time.Time{}
	}
	return d.steps[0].since
}

// workNow returns what only the worker knows.
func (r *Runner) workNow() Work {
	j := &r.journal
	w := Work{Running: r.running, Journal: j.work}
	w.Journal.Pending = j.unwritten()
	if w.Journal.Oldest = j.since; j.writing != nil {
		w.Journal.Oldest = earlier(j.since, j.began)
	}
	if len(r.parked) > 0 {
		w.Oldest = r.parkedAt
	}
	if len(j.waiting) > 0 {
		w.Oldest = earlier(w.Oldest, j.waiting[0].since)
	}
	if r.watch.waiting.Count > 0 {
		w.Oldest = earlier(w.Oldest, r.watch.waiting.Since)
	}
	return w
}

// count counts the write that ended. One that had no record and succeeded may have written nothing.
func (j *journal) count(err error, now time.Time) {
	if err != nil {
		j.work.Failures++
	}
	if err != nil || len(j.writing) > 0 {
		j.work.Writes++
		j.work.Took += now.Sub(j.began)
	}
}

// countRan counts a command or an undo that is over.
func (r *Runner) countRan(s *step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran[CommandOutcome{s.Effect == engine.EffectUndo, resultOf(err)}]++
}
