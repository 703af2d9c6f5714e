package scripting

import (
	"math/rand/v2"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

// A run is one execution of a function of a script: the call of the engine that
// it answers, and the operations that it has requested so far. A run that fails
// requests nothing.
type run struct {
	script     *script
	call       *engine.Call
	kind       engine.CallKind
	operations []engine.Operation
	written    map[storeKey]any // stored by this run: the engine has it only afterwards
	random     *rand.Rand
	stores     [2]*lua.LUserData // of the script and of the source, made when requested
	over       bool              // the function has returned
	unknown    *engine.Verdict   // nil unless holds met a condition that nobody can decide
	depth      int               // of runs that asked for this one by holds
}

// A storeKey names a value of the script, or of its source.
type storeKey struct {
	perSource bool
	key       string
}

// invoke calls a function with the object that it is given, and returns that
// many results. The script's state must be ready. Afterwards the object is
// invalid, also when the function stored it.
func (r *run) invoke(function, results int, given *lua.LUserData) ([]lua.LValue, error) {
	s := r.script
	before := s.current
	if before != nil {
		r.depth = before.depth + 1
	}
	if r.depth > maxNested {
		return nil, s.fault(function, "conditions ask for each other more than %d deep", maxNested)
	}
	s.current = r
	defer func() { s.current, r.over = before, true }()
	if before != nil { // it counts with the call around it
		return s.call(function, results, given)
	}
	var values []lua.LValue
	err := r.call.Run(func() (steps int64, err error) {
		values, err = s.call(function, results, given)
		s.steps += s.state.Steps()
		return s.state.Steps(), err
	})
	return values, err
}

// call calls a function in the Lua state. An error is an [engine.Fault].
func (s *script) call(function, results int, given *lua.LUserData) ([]lua.LValue, error) {
	values, err := s.state.Call(s.functions[function-1], results, given)
	if err != nil {
		return nil, s.faultOf(err)
	}
	return values, nil
}

// What each operation costs beside its arguments: it is checked, and becomes an event with its line
// in the transcript, a timer or a record.
const (
	operationSteps = 20
	operationBytes = 1 << 10
)

// add appends an operation to the decision, and charges the function for it.
func (r *run) add(L *lua.LState, o engine.Operation) {
	r.acting(L)
	if len(r.operations) == maxOperations {
		L.RaiseError("more than %d operations in one call", maxOperations)
	}
	if r.call.Priced() {
		r.script.state.Charge(operationSteps, operationBytes)
	}
	r.operations = append(r.operations, o)
}

// acting refuses an effect in a function for when: whether it is called at all
// depends on the conditions before it.
func (r *run) acting(L *lua.LState) {
	if r.kind == engine.CallWhen {
		L.RaiseError("%s", onlyDecides)
	}
}

const onlyDecides = "when only decides: it can neither store, log, print nor act"

// line adds a log line, which it cuts at maxText bytes.
func (r *run) line(L *lua.LState, text string) {
	r.script.state.Charge(int64(len(text))/16, int64(len(text)))
	if len(text) > maxText {
		text = text[:maxText-3] + "..."
	}
	r.add(L, engine.Log{Text: text})
}

// float returns the next random number, from 0 to below 1. It depends on the
// seed of the call alone, so a replay gets the same numbers.
func (r *run) float() float64 {
	if r.random == nil {
		r.random = rand.New(rand.NewPCG(r.call.Seed, 0))
	}
	return r.random.Float64()
}

// doorOf returns the name of the door that a call is about; "" when there is
// none any more.
func doorOf(c *engine.Call) string {
	switch {
	case c.Door != nil:
		return c.Door.Name
	case c.Grant != nil:
		return c.Grant.Door
	}
	return ""
}
