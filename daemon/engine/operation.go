package engine

import (
	"cmp"
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// This file checks and carries out what a script's reply asks for: all of it or
// nothing.

// check says whether a reply can be carried out, and tells when it cannot.
func (e *Engine) check(c cause, operations []Operation) bool {
	need := need{}
	for _, o := range operations {
		if err := e.checkOne(c, o, &need); err != nil {
			e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: err.Error()})
			return false
		}
	}
	detail := ""
	switch bound := e.cfg.Grants; {
	case need.grants > 0 && e.grants.count()+need.grants > bound:
		detail = fmt.Sprintf("%d grants are live, and no more are kept", e.grants.count())
	case need.effects > 0 && e.batches.pending()+need.effects > bound:
		detail = fmt.Sprintf("%d effects have not been answered yet", e.batches.pending())
	case need.timers > 0 && e.delayed+need.timers > bound:
		detail = fmt.Sprintf("%d delays are running, and no more are kept", e.delayed)
	case need.values > 0 && !e.store.room(need.values, e.now):
		detail = "the store is full"
	default:
		return true
	}
	if c.refusable() {
		e.refuse(c.name, c.source, Limited, detail, true)
	} else {
		e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: detail})
	}
	return false
}

// need counts what a reply takes of what is bounded.
type need struct{ grants, effects, timers, values int }

func (e *Engine) checkOne(c cause, o Operation, need *need) error {
	switch o := o.(type) {
	case Allow:
		return e.checkAllow(c, o, need)
	case Exec:
		need.effects++
		if wanted := e.commandGrant(c, o); o.Undo != nil && e.grants.find(keyOf(&wanted), c.name, c.source) == nil {
			need.grants++
		}
		switch {
		case len(o.Argv) == 0 || o.Timeout <= 0:
			return fmt.Errorf("exec: a command with a time limit was expected")
		case o.Undo != nil && c.kind == CallClose:
			return fmt.Errorf("exec: a grant that ends cannot begin another, and this command has an undo")
		case o.Undo != nil && o.TTL <= 0 && c.door == nil:
			return fmt.Errorf("exec: the door is gone, so the time until the undo must be named")
		}
	case Close:
		if e.index.door(o.Door) == nil {
			return fmt.Errorf("close: there is no door %q", o.Door)
		}
	case After:
		need.timers++
		if o.Delay < time.Second {
			return fmt.Errorf("after: the delay is %v: expected a second or more", o.Delay)
		}
		if e.index.timers[timerName{c.script, o.Name}] == nil {
			return fmt.Errorf("after: no handler %q is registered in %s", o.Name, c.script)
		}
	case Put:
		if e.store.grows(c.script, c.owner(o), o, e.now) {
			need.values++
		}
	}
	return nil
}

func (e *Engine) checkAllow(c cause, o Allow, need *need) error {
	ports := o.Ports
	if len(ports) == 0 && c.door != nil {
		ports = c.door.Guards
	}
	switch {
	case c.kind != CallOpen && c.kind != CallKnock:
		return fmt.Errorf("allow: access can be given when a sequence is complete, and then only")
	case len(ports) == 0:
		return fmt.Errorf("allow: the door guards no port, so the port must be named")
	case c.door.Ports != nil && slices.ContainsFunc(o.Ports, c.door.excludes):
		return fmt.Errorf("allow: a port that is neither guarded nor among the door's ports")
	case o.Bits4 < 0 || o.Bits4 > 32 || o.Bits6 < 0 || o.Bits6 > 128:
		return fmt.Errorf("allow: a network of /%d or /%d does not exist", o.Bits4, o.Bits6)
	}
	need.effects += len(ports)
	source := widen(c.source, o)
	for _, port := range ports {
		if e.grants.find(grantKey{source: source, port: port, observed: c.observes()}, c.name, c.source) == nil {
			need.grants++
		}
	}
	return nil
}

func (c cause) line() int {
	if c.door == nil {
		return 0
	}
	return c.door.Line
}

// apply carries out operations that were checked. Their effects make one batch.
func (e *Engine) apply(c cause, operations []Operation) {
	b := cmp.Or(c.batch, &batch{})
	for _, o := range operations {
		switch o := o.(type) {
		case Allow:
			e.allowAll(c, b, o)
		case Exec:
			if o.TTL <= 0 && c.door != nil {
				o.TTL = c.door.TTL
			}
			e.exec(c, b, o)
		case Close:
			for _, g := range e.grants.of(o.Door, c.source) {
				if g.Observed || !c.observes() {
					e.endGrant(g, ClosedByDoor, c.depth)
				}
			}
		case Log:
			e.addEffect(b, Event{Kind: EventEffect, Effect: EffectLog, Door: c.name, Source: single(c.source), Detail: o.Text}, nil, time.Time{})
		case After:
			e.delay(c, o)
		case Put:
			e.storeValue(c, o)
		}
	}
}

func (e *Engine) allowAll(c cause, b *batch, o Allow) {
	ports, ttl := o.Ports, o.TTL
	if len(ports) == 0 {
		ports = c.door.Guards
	}
	if ttl <= 0 {
		ttl = c.door.TTL
	}
	source := widen(c.source, o)
	for _, port := range ports {
		e.allow(c, b, source, port, ttl)
	}
}

// widen returns the network around a that o asks for.
func widen(a netip.Addr, o Allow) netip.Prefix {
	bits := o.Bits6
	if a.Is4() {
		bits = o.Bits4
	}
	if bits == 0 {
		return single(a)
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// storeValue stores a value, and asks that it survive a restart.
func (e *Engine) storeValue(c cause, o Put) {
	e.store.put(c.script, c.owner(o), o)
	e.persist(Record{Store: &o, Script: c.script, Source: c.owner(o)})
}

// owner returns whose value o is: the source's, or invalid for the script's.
func (c cause) owner(o Put) netip.Addr {
	if o.PerSource {
		return c.source
	}
	return netip.Addr{}
}

// A delayed is a call that a script asked for.
type delayed struct {
	script, name string
	value        any
	door         string
	source       netip.Addr
	observed     bool // its door only observed when it asked
	timer        timer
}

func (e *Engine) delay(c cause, o After) {
	due := after(e.now, o.Delay)
	if due > e.horizon {
		return
	}
	d := &delayed{script: c.script, name: o.Name, value: o.Value, door: c.name, source: c.source, observed: c.observes()}
	d.timer = timer{door: e.index.order(c.name), source: c.source, kind: scriptTimer, delayed: d, index: -1}
	e.delayed++
	e.setTimer(&d.timer, due)
}

// runDelayed calls the handler that a delay is for, in the script set of now.
func (e *Engine) runDelayed(d *delayed, tooMany bool) {
	e.delayed--
	c := cause{kind: CallTimer, name: d.door, script: d.script, source: d.source, observed: d.observed}
	if here := e.index.door(d.door); here != nil {
		c.door = here.Door
	}
	h := e.index.timers[timerName{d.script, d.name}]
	switch {
	case tooMany:
		e.fault(c, &Fault{Script: d.script, Detail: fmt.Sprintf("too many delays came due at once, or did too much; %q is dropped", d.name)})
	case h == nil:
		e.fault(c, &Fault{Script: d.script, Detail: fmt.Sprintf("no handler %q is registered any more", d.name)})
	default:
		m := e.callFor(c)
		m.Name, m.Value = d.name, d.value
		e.runHandler(c, h, m)
	}
}

// dropDelayed forgets the delays that are due behind the horizon.
func (e *Engine) dropDelayed() {
	e.timers = slices.DeleteFunc(e.timers, func(t *timer) bool {
		return t.kind == scriptTimer && t.due > e.horizon
	})
	e.delayed = 0
	for i, t := range e.timers {
		t.index = i
		if t.kind == scriptTimer {
			e.delayed++
		}
	}
	heap.Init(&e.timers)
}
