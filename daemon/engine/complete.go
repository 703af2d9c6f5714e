package engine

import (
	"net/netip"
	"slices"
)

// This file decides what happens when an attempt reaches a stage, completes its sequence or ends.

// reachStage reports that a source is at a stage of a door, and runs the handler from the
// second stage on. The first stage has no call, since anybody can cause it with one packet.
// False: the script refused or failed, and the attempt is over.
func (e *Engine) reachStage(d *door, source netip.Addr, stage int) bool {
	c := causeOf(CallStage, d.Door, source)
	d.totals.stages++
	e.emit(Event{Kind: EventStage, Door: d.Name, Source: single(source), Stage: stage, Stages: len(d.Sequence)})
	if stage < 2 || d.Hooks&HookStage == 0 {
		return true
	}
	call := e.callFor(c)
	call.Stage = stage
	e.early = stage < len(d.Sequence)
	defer func() { e.early = false }()
	return e.runHandler(c, d.Handler, call)
}

// completeSequence handles the last knock of a sequence. A one-time sequence is consumed before
// anything is decided. If two doors have the same line of one file, it belongs to the first: for
// the second it is a miss, whose reason completeSequence returns.
func (e *Engine) completeSequence(d *door) Reason {
	source := e.packet.Source
	if d.sequenceConsumed() {
		e.miss(d, source, len(d.Sequence)-1, Used)
		return Used
	}
	agreed := e.reachStage(d, source, len(d.Sequence))
	c := causeOf(CallOpen, d.Door, source)
	c.batch = e.consume(d, source)
	if agreed && e.admit(d.Door, source) {
		e.countOpen(d, e.decideOpening(c, d.Hooks&HookOpen != 0))
		e.noteCompletion(d.Door, source)
	}
	return ""
}

// handleListener handles a knock on a port of a listener.
func (e *Engine) handleListener(d *door) {
	if source := e.packet.Source; e.admit(d.Door, source) {
		e.countOpen(d, e.decideOpening(causeOf(CallKnock, d.Door, source), true))
	}
}

// admit checks that a door's functions may run, then its limit, and then its conditions in order.
// In a row of knocks over a limit only the first is reported; the others are counted. A knock whose
// functions may not run uses up no limit.
func (e *Engine) admit(d *Door, source netip.Addr) bool {
	if d.onePacket() && !e.test(TestSteps, d, e.admitSteps(d, source)) {
		return false
	}
	ok, report := e.limits.allow(d, source, e.now)
	if d.Limit != nil {
		e.test(TestLimit, d, ok)
	}
	if !ok {
		e.refuseLimited(d, source, boundLimit, d.Limit.Text, report)
		e.explanation.limited(d, source)
		return false
	}
	c := causeOf(CallWhen, d, source)
	verdict, err := all(d.When, func() *Call { return e.callFor(c) })
	e.steps.charge(d, e.now)
	switch {
	case err != nil:
		e.fault(c, err)
	case verdict.Outcome != Yes:
		e.refuse(d.Name, source, verdict, true)
	default:
		e.succeeded(c)
	}
	return err == nil && verdict.Outcome == Yes
}

// decideOpening calls the script, which decides whether a door opens, and carries out its decision.
// It returns 1 when the door opened, else 0. A door without a handler for this call allows its
// guards.
func (e *Engine) decideOpening(c cause, scripted bool) int {
	decision, agreed := Decision{}, true
	if scripted {
		decision, agreed = e.callHandler(c, c.door.Handler, e.callFor(c))
	} else if len(c.door.Guards) > 0 {
		decision.Operations = []Operation{Allow{}}
	}
	if !agreed || !e.check(c, decision.Operations) {
		return 0
	}
	e.succeeded(c)
	opened := 0
	if c.kind == CallOpen || changesAnything(decision.Operations) {
		opened = 1
		e.emit(Event{Kind: EventOpen, Door: c.name, Source: single(c.source)})
	} else {
		e.explanation.gaveNothing()
	}
	e.apply(c, decision.Operations)
	return opened
}

// changesAnything reports whether a decision gives access or runs something.
func changesAnything(operations []Operation) bool {
	return slices.ContainsFunc(operations, func(o Operation) bool { return o.impact() != inside })
}

// miss reports the end of an unfinished attempt. A miss of a first stage is only counted.
func (e *Engine) miss(d *door, source netip.Addr, stage int, reason Reason) {
	e.counts.Misses++
	d.totals.miss(reason)
	if stage < 2 {
		return
	}
	event := Event{Kind: EventMiss, Door: d.Name, Source: single(source), Stage: stage, Stages: len(d.Sequence), Reason: reason}
	if reason == Tripwire {
		event.Port = e.packet.Port
	}
	e.emit(event)
	if d.Hooks&HookMiss == 0 {
		return
	}
	c := causeOf(CallMiss, d.Door, source)
	call := e.callFor(c)
	call.Stage, call.Reason = stage, reason
	e.runHandler(c, d.Handler, call)
}
