package engine

// This file bounds what the functions of one script do at one instant when no knock leads to them:
// the handlers of delayed calls, on_close and on_miss. A script may have tens of thousands of
// delayed calls and of grants that come due together. Each of their functions is short, and all of
// them together would keep the packets waiting for minutes.
//
// What a knock leads to is bounded by its door: see [steps]. Here the bound is for one input, so it
// needs no state that a snapshot must keep, and a replay of the same inputs decides the same.

// maxInputSteps is how many steps such functions of one script may run in one input. They take one
// to four seconds. It leaves 100,000 calls of 200 steps: see [maxDelayed].
const maxInputSteps = 20_000_000

// doneEnough reports whether a call must be left out, because the functions of its script did too
// much in this input. An engine that an older version began has no such bound.
func (e *Engine) doneEnough(c cause) bool {
	return e.priced && !c.refusable() && e.inputSteps[c.owner] >= maxInputSteps
}

// noteInputSteps adds what the call at hand has used.
func (e *Engine) noteInputSteps(c cause) {
	if n := e.steps.current; n > 0 && !c.refusable() {
		e.inputSteps[c.owner] += n
	}
}
