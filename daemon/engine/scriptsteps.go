package engine

import (
	"fmt"
	"time"

	"sesame/daemon/wire"
)

// This file bounds what the functions of one script do when no knock leads to them: the handlers of
// delayed calls, on_close and on_miss. A script may have tens of thousands of delayed calls that
// set each other again, and of grants that end together. Each of their functions is short, and all
// of them together would keep packets waiting for as long as they go on.
//
// Strangers cause misses. So on_miss has an allowance of its own, and a flood of attempts that end
// takes nothing from the functions of honest grants.
//
// The bound is that of doors (see [steps]), with the time at which the input began. So it holds
// for one input, too: a capture may leap by a century, and a timer that sets itself again each
// second does not get the allowance of a century.

// unasked returns what scripts have used of the allowance that a function is charged to.
func (s *steps) unasked(c cause) map[string]*spending {
	if c.kind == CallMiss {
		return s.byMisser
	}
	return s.byScript
}

// admitScript reports whether a function may run. In a row of those that are left out only the
// first is reported. An engine that an older version began has no such bound.
func (e *Engine) admitScript(c cause) bool {
	s := &e.steps
	used := s.unasked(c)[c.owner]
	if !e.priced || c.refusable() || used == nil || used.full <= wire.Add(s.input, time.Duration(stepBurst*s.scripts)*stepTime) {
		return true
	}
	if s.input-used.refused < refusalRow {
		e.counts.Errors++ // tens of thousands may follow
		e.totals.of(c.name).errors++
	} else {
		e.fault(c, &Fault{Script: c.script, Line: c.line(), Detail: fmt.Sprintf(
			"without a knock, the functions of a script may run only %d steps a second: this one is left out, and so are those that follow; set fewer delays, or let functions do less",
			time.Second/stepTime/time.Duration(s.scripts))})
	}
	used.refused = s.input
	return false
}

// chargeScript takes what the call at hand has used from the allowance of its script.
func (e *Engine) chargeScript(c cause) {
	s := &e.steps
	if s.current == 0 || c.refusable() {
		return
	}
	of := s.unasked(c)
	used := of[c.owner]
	if used == nil {
		used = &spending{}
		of[c.owner] = used
	}
	used.full = wire.Add(max(used.full, s.input), time.Duration(s.current*int64(s.scripts))*stepTime)
}
