package engine

import (
	"errors"
	"net/netip"
)

// A cause is what a handler is asked about, and what its reply answers.
type cause struct {
	kind   CallKind
	door   *Door // nil for a timer and for a person
	name   string
	script string
	source netip.Addr
	depth  int // how many operations on other doors led here
	// observed says that it comes from a time when the door only observed.
	observed bool
	batch    *batch // that the effects of the reply follow; nil: they make one of their own
}

// observes reports whether what c leads to is decided and not done.
func (c cause) observes() bool { return c.observed || c.door != nil && c.door.Observe }

func causeOf(kind CallKind, d *Door, source netip.Addr) cause {
	return cause{kind: kind, door: d, name: d.Name, script: d.Script, source: source}
}

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
	if ok, told := e.limits.take(d, source, e.now); !ok {
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
	for _, o := range operations {
		switch o.(type) {
		case Allow, Exec:
			return true
		}
	}
	return false
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

// callFor returns the moment of c, for the caller to complete. It is reused.
func (e *Engine) callFor(c cause) *Call {
	e.serial++
	e.call = Call{
		Kind: c.kind, Door: c.door, Source: c.source, Script: c.script,
		Packet: e.packet, Time: at(e.now), Wall: at(e.now).Add(e.offset), Store: e.store,
		Seed: mix(e.cfg.Seed + e.serial),
	}
	if c.door != nil {
		e.call.Stages = len(c.door.Sequence)
		e.call.Stage = e.call.Stages
	}
	return &e.call
}

// mix spreads a counter over 64 bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// callHandler puts a moment to a script, and tells when it fails or says no.
func (e *Engine) callHandler(c cause, h Handler, m *Call) (Decision, bool) {
	reply, err := h.Handle(m)
	switch {
	case err != nil:
		e.fault(c, err)
		return Decision{}, false
	case reply.Refused && c.refusable():
		e.refuseWith(c, reply)
		return Decision{}, false
	}
	return reply, true
}

// refuseWith refuses, and does what the script wants done beside: count, log, run a
// command. Giving access while refusing it is a fault.
func (e *Engine) refuseWith(c cause, reply Decision) {
	for _, o := range reply.Operations {
		if _, gives := o.(Allow); gives {
			e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: "the function allowed and then refused"})
			return
		}
	}
	if e.check(c, reply.Operations) {
		e.refuse(c.name, c.source, When, reply.Detail, true)
		e.apply(c, reply.Operations)
	}
}

// runHandler puts a moment to a script and carries out what it wants. False: it
// failed or said no, and nothing was done.
func (e *Engine) runHandler(c cause, h Handler, m *Call) bool {
	reply, agreed := e.callHandler(c, h, m)
	if !agreed || !e.check(c, reply.Operations) {
		return false
	}
	e.apply(c, reply.Operations)
	return true
}

// refusable reports whether there is a knock that a no would refuse.
func (c cause) refusable() bool {
	switch c.kind {
	case CallWhen, CallStage, CallOpen, CallKnock:
		return true
	}
	return false
}

// fault tells that a script failed. The knock at hand, if any, is refused.
func (e *Engine) fault(c cause, err error) {
	e.counts.Errors++
	event := Event{Kind: EventError, Door: c.name, Source: single(c.source), Script: c.script, Detail: err.Error()}
	if c.door != nil {
		event.Line = c.door.Line
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		event.Script, event.Line, event.Detail = f.Script, f.Line, f.Detail
	}
	e.emit(event)
	if c.refusable() {
		e.refuse(c.name, c.source, ScriptError, "", true)
	}
}

func (e *Engine) refuse(door string, source netip.Addr, reason Reason, detail string, told bool) {
	e.counts.Refusals++
	if told {
		e.emit(Event{Kind: EventRefuse, Door: door, Source: single(source), Reason: reason, Detail: detail})
	}
}

// emit adds an event, at the present time and of the packet at hand.
func (e *Engine) emit(event Event) {
	event.Time = at(e.now)
	if e.packet != nil {
		event.Packet, event.Capture = e.packet.Number, e.packet.Capture
	}
	e.events = append(e.events, event)
}

// single returns the network that holds an address alone.
func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
