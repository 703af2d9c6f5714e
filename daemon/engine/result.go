package engine

import (
	"errors"

	"sesame/daemon/wire"
)

// This file takes the results of effects, and takes decisions back that failed.

// handleResult takes the runner's answer. An id that is not awaited changes nothing: its
// decision was taken back before the answer came.
func (e *Engine) handleResult(id uint64, err error) {
	found, ok := e.batches.byID[id]
	if !ok {
		return
	}
	e.batches.answered(id)
	b, x := found.batch, found.batch.entries[found.index]
	row, done := x.event.Effect.row(), err == nil || e.reportFailure(x.event, err)
	e.noteFailure(x, err)
	switch {
	case row.decision && !done && !x.event.Tolerates(err):
		e.rollBack(b, found.index)
	case row.decision && !done:
		e.cancelUnrun(x)
	case x.moved && e.grants.byID[x.grant.ID] == x.grant:
		e.updateElement(x.grant)
	}
	switch line := (Consumed{x.event.File, x.event.Text}); row.answer {
	case nothingMore:
	case endsRecord:
		if done && e.grants.byID[x.grant.ID] != x.grant { // it lives when its command runs again
			e.persist(Record{Grant: &x.grant.Grant, Ended: true})
		}
	case startsCommentOut:
		// The sequence was seen on the wire. The file must know that also when the
		// journal could not be written.
		e.commentOut(x.event.Door, x.event.Source, line)
	case endsConsumed:
		if done {
			e.commentedOut(line)
		}
	}
}

// noteFailure notes that the run of a command failed of which grants stand. Those that do not stand
// end right after it.
func (e *Engine) noteFailure(x entry, err error) {
	failed, ran := errors.AsType[*CommandError](err)
	if ran && x.grant != nil && e.grants.runs[x.grant.key] == x.event.ID {
		e.grants.failures[x.grant.key] = failed
	}
}

// reportFailure reports that an effect failed. True: it counts as done all the same.
func (e *Engine) reportFailure(effect Event, err error) bool {
	failure := Event{
		Kind: EventFailed, Door: effect.Door, Source: effect.Source, Effect: effect.Effect,
		Grant: effect.Grant, Port: effect.Port, Detail: err.Error(), Failed: effect.ID,
	}
	if command, ok := errors.AsType[*CommandError](err); ok {
		failure.Ran, failure.Status = true, command.Status
	}
	failure.TakenBack = effect.Effect.row().decision && !effect.Tolerates(err)
	e.emit(failure)
	return failure.Ran && effect.AnyStatus
}

// Optional reports whether the effect stands beside the rest of its decision: nothing in it waits
// for the effect, or is taken back when it fails. The effect of a command is optional unless the
// command is [Exec.Required].
func (e *Event) Optional() bool { return e.Effect == EffectExec && !e.Required }

// Tolerates reports whether the rest of the decision stands when the effect fails with err: it is
// optional, or it is a command that need only run.
func (e *Event) Tolerates(err error) bool {
	_, ran := errors.AsType[*CommandError](err)
	return e.Optional() || ran && e.AnyStatus
}

// rollBack takes back a batch of which one effect failed. The effects after it will never be
// done, and those before it are reverted, last first.
func (e *Engine) rollBack(b *batch, failed int) {
	for i := failed; i < len(b.entries); i++ {
		e.batches.answered(b.entries[i].event.ID)
		e.cancelUnrun(b.entries[i])
	}
	for i := failed - 1; i >= 0; i-- {
		if b.entries[i].event.Effect.row().lasting {
			continue
		}
		e.batches.answered(b.entries[i].event.ID)
		e.revert(b.entries[i])
	}
}

// cancelUnrun takes back an effect that was not carried out. A command that never ran needs no
// undo, neither for this grant nor for others that share the run. A later run of the same
// command is another one, and is left alone.
func (e *Engine) cancelUnrun(x entry) {
	if x.grant == nil || x.event.Effect != EffectExec || x.event.Argv == nil {
		e.revert(x)
		return
	}
	if e.grants.runs[x.grant.key] != x.event.ID {
		return
	}
	for _, g := range e.grants.byKey.of[x.grant.key].inOrder() {
		g.Undo = nil
		e.endGrant(g, NotDone, 0)
	}
}

// revert ends a grant that an effect made. If the effect extended the grant, its former end
// comes back. Nothing happens when the grant is over, or was extended again since.
func (e *Engine) revert(x entry) {
	g := x.grant
	switch {
	case g == nil || e.grants.byID[g.ID] != g || !g.End.Equal(x.end):
	case !x.was.end.After(wire.Time(e.now)):
		e.endGrant(g, NotDone, 0)
	default:
		e.grants.setTerm(g, x.was)
		e.moveTimer(&g.timer, wire.Nanoseconds(x.was.end))
		e.persist(Record{Grant: &g.Grant})
		if g.Argv == nil {
			e.updateElement(g)
		}
	}
}
