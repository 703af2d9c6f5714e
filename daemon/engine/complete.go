package engine

import (
	"net/netip"
	"slices"
)

// reachStage tells that a source is at a stage of a door, and asks the script, from
// the second stage on: whoever sends first knocks never paces it. False: the
// script refused, or failed, and the attempt is over.
func (e *Engine) reachStage(d *door, source netip.Addr, stage int) bool {
	c := causeOf(CallStage, d.Door, source)
	e.emit(Event{Kind: EventStage, Door: d.Name, Source: single(source), Stage: stage, Stages: len(d.Sequence)})
	if stage < 2 || d.Hooks&HookStage == 0 {
		return true
	}
	m := e.callFor(c)
	m.Stage = stage
	return e.runHandler(c, d.Handler, m)
}

// completeSequence is what follows the last knock of a sequence. Of two doors that have the
// same line of one file it is the first one's.
func (e *Engine) completeSequence(d *door) {
	source := e.packet.Source
	if d.sequenceConsumed() {
		e.miss(d, source, len(d.Sequence)-1, Used)
		return
	}
	agreed := e.reachStage(d, source, len(d.Sequence))
	c := causeOf(CallOpen, d.Door, source)
	c.batch = e.consume(d, source)
	if agreed && e.admit(d.Door, source) {
		e.counts.Opens += e.decideOpening(c, d.Hooks&HookOpen != 0)
	}
}

// handleListener is what follows a knock that a listener hears.
func (e *Engine) handleListener(d *door) {
	if source := e.packet.Source; e.admit(d.Door, source) {
		e.counts.Opens += e.decideOpening(causeOf(CallKnock, d.Door, source), true)
	}
}

// admit asks a door's limit and conditions. Of a run of knocks over the limit
// the first is told and the others are counted.
func (e *Engine) admit(d *Door, source netip.Addr) bool {
	if ok, told := e.limits.allow(d, source, e.now); !ok {
		e.refuse(d.Name, source, Limited, d.Limit.Text, told)
		return false
	}
	c := causeOf(CallWhen, d, source)
	for _, condition := range d.When {
		verdict, err := condition.Check(e.callFor(c))
		if err != nil {
			e.fault(c, err)
			return false
		}
		if !verdict.OK {
			e.refuse(d.Name, source, When, verdict.Detail, true)
			return false
		}
	}
	return true
}

// decideOpening asks the script whether a door opens, carries out its reply, and
// returns 1 when it opened. Without a script a door allows its guards.
func (e *Engine) decideOpening(c cause, scripted bool) int {
	reply, agreed := Decision{}, true
	if scripted {
		reply, agreed = e.callHandler(c, c.door.Handler, e.callFor(c))
	} else if len(c.door.Guards) > 0 {
		reply.Operations = []Operation{Allow{}}
	}
	if !agreed || !e.check(c, reply.Operations) {
		return 0
	}
	opened := 0
	if c.kind == CallOpen || changesAnything(reply.Operations) {
		opened = 1
		e.emit(Event{Kind: EventOpen, Door: c.name, Source: single(c.source)})
	}
	e.apply(c, reply.Operations)
	return opened
}

// changesAnything reports whether a reply gives access or runs something.
func changesAnything(operations []Operation) bool {
	return slices.ContainsFunc(operations, func(o Operation) bool { return o.impact() != inside })
}

// miss tells the end of an unfinished attempt. That of a first stage is counted
// only.
func (e *Engine) miss(d *door, source netip.Addr, stage int, reason Reason) {
	e.counts.Misses++
	if stage < 2 {
		return
	}
	e.emit(Event{Kind: EventMiss, Door: d.Name, Source: single(source), Stage: stage, Stages: len(d.Sequence), Reason: reason})
	if d.Hooks&HookMiss == 0 {
		return
	}
	c := causeOf(CallMiss, d.Door, source)
	m := e.callFor(c)
	m.Stage, m.Reason = stage, reason
	e.runHandler(c, d.Handler, m)
}
