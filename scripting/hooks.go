package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

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

// react calls a function for a call of the engine, and returns its two results.
func (s *script) react(m *engine.Call, kind engine.CallKind, function int) (*call, []lua.LValue, error) {
	if err := s.ready(); err != nil {
		return nil, nil, err
	}
	c := &call{script: s, moment: m, kind: kind}
	results, err := c.invoke(function, 2, s.userdata(s.state.L(), &object{kind: objectNames[kind], call: c}))
	return c, results, err
}

// A handler is the scripted part of a door. It is an [engine.Handler].
type handler struct {
	script    *script
	functions [engine.CallTimer + 1]int // by moment, as script.keep numbers them; 0: none
}

// Handle calls the function of the moment.
func (h *handler) Handle(m *engine.Call) (engine.Decision, error) {
	function := h.functions[m.Kind]
	if function == 0 {
		return engine.Decision{}, nil
	}
	c, results, err := h.script.react(m, m.Kind, function)
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
