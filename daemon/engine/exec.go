package engine

import (
	"fmt"
	"time"
)

// Exec runs a command. With an Undo it is a grant: at its end Undo runs. A command with an Undo
// is not legal in CallClose, since each close could begin the next grant without end.
type Exec struct {
	Argv []string
	Undo []string      // nil: nothing to undo
	TTL  time.Duration // until the undo; zero: the door's
	// Shared means that grants of all sources share the run and its undo, when they have the same
	// Argv and Undo. Otherwise only those of one source do.
	Shared  bool
	Timeout time.Duration // of each run, above zero
	// AnyStatus means that a run which fails is reported and counts as done all the same, that
	// of Undo too: see [CommandError].
	AnyStatus bool
	// Required means that the decision fails with the command: what it gave before is taken
	// back, and what comes after it waits for it, and is left out when it fails. Otherwise a
	// failure takes back the grant of the command itself, if it is one, and nothing else.
	Required bool
	// Invocation says how Argv and Undo were made; nil: they are of no declared command.
	Invocation *Invocation
}

func (o Exec) check(e *Engine, c cause) (need, error) {
	n := need{effects: 1}
	if wanted := e.commandGrant(c, o); o.Undo != nil && e.grants.find(keyOf(&wanted), c.name, c.source) == nil {
		n.grants++
	}
	if _, err := e.execWindowEnd(c, o); err != nil {
		return n, fmt.Errorf("exec: %w", err)
	}
	switch {
	case len(o.Argv) == 0 || o.Timeout <= 0:
		return n, fmt.Errorf("exec: a command with a time limit was expected")
	case o.Undo != nil && c.kind == CallClose:
		return n, fmt.Errorf("exec: a grant that ends cannot begin another, and this command has an undo")
	case o.Undo != nil && o.TTL <= 0 && c.door == nil:
		return n, fmt.Errorf("exec: the door is gone, so the time until the undo must be named")
	}
	return n, nil
}

func (o Exec) apply(e *Engine, c cause, b *batch) {
	if o.TTL <= 0 && c.door != nil {
		o.TTL = c.door.TTL
	}
	e.exec(c, b, o)
}

func (Exec) impact() impact { return acts }

// exec runs a command. A command with an undo is a grant. While such a grant lives, the command
// does not run again: the new grant shares the run, and the last of them runs the undo.
//
// A command that ran before a restart (run is 0) may be gone, as after a power cut. Then its
// undo runs first, and the command runs again. Other sources keep their grants of a shared command.
func (e *Engine) exec(c cause, b *batch, op Exec) {
	event := Event{
		Kind: EventEffect, Effect: EffectExec, Door: c.name, Owner: c.owner, Source: single(c.source),
		Argv: op.Argv, Timeout: op.Timeout, AnyStatus: op.AnyStatus, Required: op.Required || e.allRequired, Observed: c.observes(),
		Shared: op.Undo != nil && op.Shared, Invocation: op.Invocation,
	}
	if op.Undo == nil {
		e.addEffect(b, event, nil, term{})
		return
	}
	wanted := e.commandGrant(c, op)
	wanted.WindowEnd, _ = e.execWindowEnd(c, op) // check found that there is no error
	key := keyOf(&wanted)
	again := e.endRunBeforeRestart(key, c.depth)
	run := e.effects + 1
	if e.grants.byKey.count(key) > 0 && !again {
		event.Argv, event.Invocation, run = nil, nil, e.grants.runs[key]
	}
	g, was := e.addOrExtendGrant(c, wanted)
	e.grants.runs[key] = run
	event.Grant, event.TTL, event.Until = g.ID, g.TTL, e.elementEnd(g.key)
	e.addEffect(b, event, g, was)
}

// endRunBeforeRestart requests the undo of a command that ran before a restart, and reports whether
// it did. The grants of one source end with that. Those of a shared command go on: their holders
// did nothing, and their time is not over.
func (e *Engine) endRunBeforeRestart(key grantKey, depth int) bool {
	if e.grants.byKey.count(key) == 0 || e.grants.runs[key] != 0 {
		return false
	}
	sharing := e.grants.byKey.of[key].inOrder()
	if key.shared {
		e.undo(sharing[0])
		return true
	}
	for _, g := range sharing {
		e.endGrant(g, Replaced, depth)
	}
	return true
}

// execWindowEnd returns when a command with an undo must end by the wall clock: with the period of
// the door, when it is a part of an opening. It is zero when there is none. A command that a
// function runs otherwise, as to keep somebody out for an hour, does not end with a window.
func (e *Engine) execWindowEnd(c cause, op Exec) (time.Time, error) {
	if op.Undo == nil || c.kind != CallOpen && c.kind != CallKnock {
		return time.Time{}, nil
	}
	return e.windowEnd(c, nil, op.TTL)
}

// commandGrant returns the grant that a command with an undo is.
func (e *Engine) commandGrant(c cause, op Exec) Grant {
	return Grant{
		Source: single(c.source), Argv: op.Argv, Undo: op.Undo, Timeout: op.Timeout, AnyStatus: op.AnyStatus,
		Shared: op.Undo != nil && op.Shared, TTL: op.TTL, Observed: c.observes(),
	}
}
