package engine

import (
	"errors"
	"fmt"
)

// An Operation is something that a handler wants done: one of [Allow], [Exec], [Close], [Log],
// [After] and [Put]. Each has its own file or is below. A new one does not compile before
// it defines how it is checked and carried out.
type Operation interface {
	// check returns how much the operation takes of each bounded resource, or why it cannot be
	// carried out. It changes nothing.
	check(*Engine, cause) (need, error)
	// apply carries the operation out, after check has allowed it. Its effects belong to the
	// batch.
	apply(*Engine, cause, *batch)
	impact() impact
}

// An impact is how far an operation reaches.
type impact uint8

const (
	inside impact = iota // nothing outside of the engine changes, but for the log
	acts                 // it runs a command: a listener that does so has opened
	gives                // it gives access, which a refusal must not
)

// need counts how much a decision takes of each bounded resource, bounded by [Config.Grants].
type need struct{ grants, effects, timers, values int }

func (n *need) add(other need) {
	n.grants += other.grants
	n.effects += other.effects
	n.timers += other.timers
	n.values += other.values
}

// check reports whether a decision can be carried out as a whole. If not, it is refused or a
// fault, and nothing of it may be done.
func (e *Engine) check(c cause, operations []Operation) bool {
	var total need
	for _, o := range operations {
		n, err := o.check(e, c)
		if w, ok := errors.AsType[*windowError](err); ok && w.doubt && c.refusable() {
			e.refuse(c.name, c.source, Verdict{Reason: ClockDoubt, Condition: w.period.Name(), Detail: w.Error()}, true)
			return false
		}
		if err != nil {
			e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: err.Error()})
			return false
		}
		total.add(n)
	}
	detail := e.exceeded(c.owner, total)
	switch {
	case detail == "":
		return true
	case c.refusable():
		e.refuseLimited(c.door, c.source, boundRoom, detail, true)
	default:
		e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: detail})
	}
	return false
}

// exceeded returns which bound a decision of a script would exceed, "" for none: that of all
// scripts, or its own share.
func (e *Engine) exceeded(owner string, n need) string {
	const rest = "the rest is kept for other scripts"
	switch bound := e.cfg.Grants; {
	case n.grants > 0 && e.grants.count()+n.grants > bound:
		return fmt.Sprintf("%d grants are live, which is the limit", e.grants.count())
	case n.grants > 0 && !e.leaves(owner, e.grantsByOwner, e.grants.count(), n.grants):
		return fmt.Sprintf("%d grants of %s are live, and %s", e.grantsByOwner()[owner], owner, rest)
	case n.effects > 0 && e.batches.pending()+n.effects > bound:
		return fmt.Sprintf("%d effects have not been answered yet", e.batches.pending())
	case n.effects > 0 && !e.leaves(owner, e.pendingByOwner, e.batches.pending(), n.effects):
		return fmt.Sprintf("%d effects of %s have not been answered yet, and %s", e.pendingByOwner()[owner], owner, rest)
	case n.timers > 0 && e.delayed+n.timers > bound:
		return fmt.Sprintf("%d delays are running, which is the limit", e.delayed)
	case n.timers > 0 && !e.leaves(owner, e.delaysByOwner, e.delayed, n.timers):
		return fmt.Sprintf("%d delays of %s are running, and %s", e.delays[owner], owner, rest)
	case n.values > 0 && !e.store.room(e.now, func() bool { return e.leaves(owner, e.valuesByOwner, len(e.store.values), n.values) }):
		if len(e.store.values)+n.values > bound {
			return "the store is full"
		}
		return fmt.Sprintf("%s has stored %d values, and %s: give values a ttl", owner, e.store.used[owner], rest)
	}
	return ""
}

// apply carries out operations that were checked. Their effects make one batch, or continue
// the one that the cause has.
func (e *Engine) apply(c cause, operations []Operation) {
	b := c.batch
	if b == nil {
		b = &batch{}
	}
	for _, o := range operations {
		o.apply(e, c, b)
	}
}

// Close ends the grants that the source has from a door.
type Close struct{ Door string }

func (o Close) check(e *Engine, _ cause) (need, error) {
	if e.index.door(o.Door) == nil {
		return need{}, fmt.Errorf("close: there is no door %q", o.Door)
	}
	return need{}, nil
}

// apply leaves enforced grants alone when the cause is only observed.
func (o Close) apply(e *Engine, c cause, _ *batch) {
	for _, g := range e.grants.of(o.Door, c.source, c.observes()) {
		e.endGrant(g, ClosedByDoor, c.depth)
	}
}

func (Close) impact() impact { return inside }

// Log is a line for people.
type Log struct{ Text string }

func (Log) check(*Engine, cause) (need, error) { return need{}, nil }

func (o Log) apply(e *Engine, c cause, b *batch) {
	e.addEffect(b, Event{Kind: EventEffect, Effect: EffectLog, Door: c.name, Source: single(c.source), Detail: o.Text}, nil, term{})
}

func (Log) impact() impact { return inside }
