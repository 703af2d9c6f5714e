package scripting

import (
	"math/rand/v2"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

// maxOperations bounds a reply: a script that runs wild in its budget still
// hands the engine little work.
const maxOperations = 256

// A call is one call of a script's function: what it may know, and what it has
// asked for so far.
type call struct {
	script     *script
	moment     *engine.Call
	kind       engine.CallKind
	operations []engine.Operation
	written    map[storeKey]any // what the function stored, which it reads back
	random     *rand.Rand
	stores     [2]*lua.LUserData
	over       bool // the function has returned
}

// objectNames says what the function of each moment is given.
var objectNames = [...]string{
	engine.CallWhen: "attempt", engine.CallStage: "attempt", engine.CallOpen: "attempt",
	engine.CallMiss: "attempt", engine.CallClose: "grant", engine.CallKnock: "knock", engine.CallTimer: "timer",
}

// hookNames says how scripts call the function of each moment.
var hookNames = [...]string{
	engine.CallWhen: "when", engine.CallStage: "on_stage", engine.CallOpen: "on_open",
	engine.CallMiss: "on_miss", engine.CallClose: "on_close", engine.CallKnock: "on_knock", engine.CallTimer: "a handler",
}

// run calls a function, and returns that many results.
func (c *call) run(function, results int) ([]lua.LValue, error) {
	s := c.script
	if err := s.ready(); err != nil {
		return nil, err
	}
	s.current = c
	defer func() { s.current, c.over = nil, true }()
	given := s.userdata(s.state.L(), &object{kind: objectNames[c.kind], call: c})
	values, err := s.state.Call(s.functions[function-1], results, given)
	if err != nil {
		return nil, s.faultOf(err)
	}
	return values, nil
}

// add appends an operation to the reply.
func (c *call) add(L *lua.LState, o engine.Operation) {
	c.acting(L)
	if len(c.operations) == maxOperations {
		L.RaiseError("more than %d operations in one call", maxOperations)
	}
	c.operations = append(c.operations, o)
}

// acting refuses what changes something in a function that may only decide.
func (c *call) acting(L *lua.LState) {
	if c.kind == engine.CallWhen {
		L.RaiseError("when only decides: it can neither store, log, print nor act")
	}
}

// float returns the next random number, from 0 to below 1. The moment's seed
// decides it.
func (c *call) float() float64 {
	if c.random == nil {
		c.random = rand.New(rand.NewPCG(c.moment.Seed, 0))
	}
	return c.random.Float64()
}

// reason reads the second result of a function that says no.
func (c *call) reason(function int, v lua.LValue) (string, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return "", nil
	case lua.LString:
		if len(v) > maxText {
			return "", c.script.fault(function, "%s: a reason has at most %d bytes", hookNames[c.kind], maxText)
		}
		return string(v), nil
	}
	return "", c.script.fault(function, "%s: the reason is %s: expected a string", hookNames[c.kind], describe(v))
}

// A handler is the scripted part of a door. It is an [engine.Handler].
type handler struct {
	script    *script
	functions [engine.CallTimer + 1]int // by moment, as script.keep numbers them; 0: none
}

// Handle calls the function of the moment.
func (h *handler) Handle(m *engine.Call) (engine.Decision, error) {
	c := &call{script: h.script, moment: m, kind: m.Kind}
	function := h.functions[m.Kind]
	if function == 0 {
		return engine.Decision{}, nil
	}
	results, err := c.run(function, 2)
	if err != nil {
		return engine.Decision{}, err
	}
	switch m.Kind {
	case engine.CallStage, engine.CallOpen, engine.CallKnock:
		return c.decided(function, results)
	case engine.CallWhen, engine.CallMiss, engine.CallClose, engine.CallTimer: // nothing is left to refuse
	}
	return engine.Decision{Operations: c.operations}, nil
}

// decided reads what a function returned that may refuse: nothing or true
// allows, and false with a reason refuses.
func (c *call) decided(function int, results []lua.LValue) (engine.Decision, error) {
	switch results[0] {
	case lua.LNil, lua.LTrue:
		return engine.Decision{Operations: c.operations}, nil
	case lua.LFalse:
		reason, err := c.reason(function, results[1])
		return engine.Decision{Refused: true, Detail: reason, Operations: c.operations}, err
	}
	return engine.Decision{}, c.script.fault(function, "%s: the function returned %s: return nothing to go on, or false and a reason",
		hookNames[c.kind], describe(results[0]))
}
