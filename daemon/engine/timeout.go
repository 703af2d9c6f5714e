package engine

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"sesame/daemon/wire"
)

// This file is about calls of functions that the host ended, because they took too long by its
// clock. When a clock ends a call depends on the machine. So that it did is an input, as a fact is:
// whoever records inputs records what [Engine.Timeouts] returns, and a replay gives it back. The
// engine itself reads no clock.

// A Timeout is one run of a function that was ended by the clock.
type Timeout struct {
	Run   int   // how many runs there were before it during the same input
	Fault Fault // as the host reported it
}

// timeoutSteps is what a run that was ended by the clock counts for its door: as much as all doors
// may run in a second. A host ends a call after a quarter of a second, which it then did not have
// for anybody else. So strangers who send single packets take at most a quarter of its time so.
const timeoutSteps = int64(time.Second / stepTime)

// timeouts counts the runs of functions during one input.
type timeouts struct {
	ran     int
	ended   []Timeout // in order
	given   []Timeout // the runs of this input that a replay must not run, in order
	next    []Timeout // the same of the next input
	scripts map[string]*TimedOut
}

// begin is called when an input begins.
func (t *timeouts) begin() {
	t.ran, t.ended, t.given, t.next = 0, nil, t.next, nil
}

// Run runs a function of a script for the call. It returns the error of run, which also returns how
// many steps the function used. An error that is a [Fault] with Timeout says that the clock ended
// the run; in a replay such a run has this error without being run. A function that runs within
// another one is a part of its run.
func (c *Call) Run(run func() (steps int64, err error)) error {
	if c.engine == nil {
		_, err := run()
		return err
	}
	return c.engine.run(c, run)
}

func (e *Engine) run(c *Call, run func() (int64, error)) error {
	t := &e.timeouts
	number := t.ran
	t.ran++
	var steps int64
	var err error
	if len(t.given) > 0 && t.given[0].Run == number {
		fault := t.given[0].Fault
		err, t.given = &fault, t.given[1:]
	} else {
		steps, err = e.timed(c, run)
	}
	if f, ok := errors.AsType[*Fault](err); ok && f.Timeout {
		steps = timeoutSteps
		t.ended = append(t.ended, Timeout{number, *f})
		t.note(c.Script, *f, wire.Time(e.now))
	}
	c.Spend(steps)
	return err
}

// Timeouts returns the runs of the last input that the clock ended. They do not change.
func (e *Engine) Timeouts() []Timeout { return e.timeouts.ended }

// SetTimeouts sets the runs of the next input that the clock ended, in order, for a replay. Their
// functions do not run then.
func (e *Engine) SetTimeouts(ended []Timeout) { e.timeouts.next = ended }

// A TimedOut is a script of which the clock ended functions.
type TimedOut struct {
	Script string
	Fault  Fault // the latest
	At     time.Time
	Count  int // with no hour between two of them
}

// maxTimedOut bounds the scripts that are known. A set has fewer.
const maxTimedOut = 256

// timedOutFor is how long a script is remembered after the latest of its timeouts.
const timedOutFor = time.Hour

// note remembers that a function of a script was ended.
func (t *timeouts) note(script string, f Fault, now time.Time) {
	maps.DeleteFunc(t.scripts, func(_ string, one *TimedOut) bool { return now.Sub(one.At) >= timedOutFor })
	known := t.scripts[script]
	if known == nil {
		if len(t.scripts) == maxTimedOut {
			return
		}
		known = &TimedOut{Script: script}
		t.scripts[script] = known
	}
	known.Fault, known.At = f, now
	known.Count++
}

// TimedOut returns the scripts of which the clock ended functions in the last hour, by path. It is
// for people: it decides nothing, and is no part of the state.
func (e *Engine) TimedOut() (all []TimedOut) {
	for _, known := range e.timeouts.scripts {
		if wire.Time(e.now).Sub(known.At) < timedOutFor {
			all = append(all, *known)
		}
	}
	slices.SortFunc(all, func(a, b TimedOut) int { return cmp.Compare(a.Script, b.Script) })
	return all
}
