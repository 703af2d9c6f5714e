package scripting

import (
	"math/rand/v2"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

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

type storeKey struct {
	perSource bool
	key       string
}

// invoke calls a function with an object, and returns that many results.
func (c *call) invoke(function, results int, given *lua.LUserData) ([]lua.LValue, error) {
	s := c.script
	s.current = c
	defer func() { s.current, c.over = nil, true }()
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

// line adds a line for people.
func (c *call) line(L *lua.LState, text string) {
	c.script.state.Charge(int64(len(text))/16, int64(len(text)))
	if len(text) > maxText {
		text = text[:maxText-3] + "..."
	}
	c.add(L, engine.Log{Text: text})
}

// float returns the next random number, from 0 to below 1. The moment's seed
// decides it.
func (c *call) float() float64 {
	if c.random == nil {
		c.random = rand.New(rand.NewPCG(c.moment.Seed, 0))
	}
	return c.random.Float64()
}

func doorOf(m *engine.Call) string {
	switch {
	case m.Door != nil:
		return m.Door.Name
	case m.Grant != nil:
		return m.Grant.Door
	}
	return ""
}
