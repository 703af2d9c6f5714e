package engine

import (
	"cmp"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// A Failing is a function of a script that failed when it ran last.
type Failing struct {
	Kind    CallKind
	Door    string // "" for a handler
	Handler string // of CallTimer
	Script  string // that registers the function
	Fault   Fault  // the latest, with the place where it occurred
	At      time.Time
	Count   int // since the function succeeded last
	owner   string
}

// failingKey identifies a function. The conditions of a door are one.
type failingKey struct {
	kind          CallKind
	door, handler string
	script        string
}

// maxFailing bounds the failing functions that are known. Further ones are counted and reported
// like all others, and are not among them.
const maxFailing = 256

func (c cause) failingKey() failingKey {
	if c.kind == CallTimer {
		return failingKey{kind: c.kind, handler: c.handler, script: c.script}
	}
	return failingKey{kind: c.kind, door: c.name, script: c.script}
}

// failed notes that the function of a cause failed.
func (e *Engine) failed(c cause, f Fault) {
	key := c.failingKey()
	known := e.failing[key]
	if known == nil {
		if len(e.failing) == maxFailing || c.kind == CallTimer && e.index.timers[timerName{c.owner, c.handler}].Handler == nil {
			return
		}
		known = &Failing{Kind: key.kind, Door: key.door, Handler: key.handler, Script: key.script, owner: c.owner}
		e.failing[key] = known
	}
	known.Fault, known.At = f, wire.Time(e.now)
	known.Count++
}

// succeeded notes that the function of a cause did what it should.
func (e *Engine) succeeded(c cause) {
	if len(e.failing) > 0 {
		delete(e.failing, c.failingKey())
	}
}

// Failing returns the functions that failed when they ran last, by script, door and kind. When a
// door has conditions, it is its conditions that failed when it was knocked last, and they count as
// succeeded once all of them hold. What is failing decides nothing, and is no part of the state.
func (e *Engine) Failing() []Failing {
	all := make([]Failing, 0, len(e.failing))
	for _, f := range e.failing {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Failing) int {
		return cmp.Or(cmp.Compare(a.Script, b.Script), cmp.Compare(a.Door, b.Door), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Handler, b.Handler))
	})
	return all
}

// ForgetFailing forgets the failing functions for which drop is true, after their scripts changed.
func (e *Engine) ForgetFailing(drop func(Failing) bool) {
	for key, f := range e.failing {
		if drop(*f) {
			delete(e.failing, key)
		}
	}
}

// forgetGone forgets failing functions that the set does not have any more.
func (e *Engine) forgetGone() {
	e.ForgetFailing(func(f Failing) bool {
		if f.Kind == CallTimer {
			return e.index.timers[timerName{f.owner, f.Handler}].Handler == nil
		}
		return e.index.door(f.Door) == nil
	})
}
