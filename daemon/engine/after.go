package engine

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// After calls the timer that is registered under Name in the same script, after a Delay of at
// least a second. Value is nil, a bool, a float64 or a string.
type After struct {
	Delay time.Duration
	Name  string
	Value any
}

func (o After) check(e *Engine, c cause) (need, error) {
	switch {
	case o.Delay < time.Second:
		return need{}, fmt.Errorf("after: the delay is %v: expected a second or more", o.Delay)
	case e.index.timers[timerName{c.owner, o.Name}].Handler == nil:
		return need{}, fmt.Errorf("after: no handler %q is registered in %s", o.Name, c.script)
	}
	return need{timers: 1}, nil
}

func (o After) apply(e *Engine, c cause, _ *batch) { e.delay(c, o) }

func (After) impact() impact { return inside }

// delay sets the timer of an After. It drops one that is due behind the horizon: the capture
// has ended by then.
func (e *Engine) delay(c cause, o After) {
	due := wire.Add(e.now, o.Delay)
	if due > e.horizon {
		return
	}
	d := &delayed{owner: c.owner, name: o.Name, value: o.Value, door: c.name, source: c.source, observed: c.observes()}
	d.timer = timer{door: e.index.order(c.name), source: c.source, kind: scriptTimer, delayed: d, index: -1}
	e.countDelay(d, 1)
	e.setTimer(&d.timer, due)
}

// countDelay adds n to the number of delays, of all scripts and of its own.
func (e *Engine) countDelay(d *delayed, n int) {
	e.delayed += n
	countUse(e.delays, d.owner, n)
}

// runDelayed calls the handler that a delay is for. It is looked up in the script set that runs
// now, so a reload between the request and the call takes effect. tooMany means that the bounds
// of [Engine.fireTimers] are reached: then the call is reported and dropped.
func (e *Engine) runDelayed(d *delayed, tooMany bool) {
	e.countDelay(d, -1)
	t := e.index.timers[timerName{d.owner, d.name}]
	c := cause{kind: CallTimer, name: d.door, script: cmp.Or(t.Script, d.owner), owner: d.owner, handler: d.name, source: d.source, observed: d.observed}
	if here := e.index.door(d.door); here != nil {
		c.door = here.Door
	}
	switch {
	case tooMany:
		e.fault(c, &Fault{Script: c.script, Detail: fmt.Sprintf("too many delays came due at once, or did too much; %q is dropped", d.name)})
	case t.Handler == nil:
		e.fault(c, &Fault{Script: c.script, Detail: fmt.Sprintf("no handler %q is registered any more", d.name)})
	default:
		call := e.callFor(c)
		call.Name, call.Value = d.name, d.value
		e.runHandler(c, t.Handler, call)
	}
}

// dropDelayed removes the delays that are due behind the horizon.
func (e *Engine) dropDelayed() {
	e.timers = slices.DeleteFunc(e.timers, func(t *timer) bool {
		return t.kind == scriptTimer && t.due > e.horizon
	})
	e.delayed = 0
	clear(e.delays)
	for i, t := range e.timers {
		t.index = i
		if t.kind == scriptTimer {
			e.countDelay(t.delayed, 1)
		}
	}
	heap.Init(&e.timers)
}
