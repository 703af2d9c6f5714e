package scripting

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

// objectNames are the kinds of objects that functions get, by the kind of call.
var objectNames = [...]string{
	engine.CallWhen: "attempt", engine.CallStage: "attempt", engine.CallOpen: "attempt",
	engine.CallMiss: "attempt", engine.CallClose: "grant", engine.CallKnock: "knock", engine.CallTimer: "timer",
}

// hookNames are the names of functions in scripts, by the kind of call.
// Messages use them.
var hookNames = [...]string{
	engine.CallWhen: "when", engine.CallStage: "on_stage", engine.CallOpen: "on_open",
	engine.CallMiss: "on_miss", engine.CallClose: "on_close", engine.CallKnock: "on_knock", engine.CallTimer: "a handler",
}

// FunctionName returns the name of a function as scripts have it, such as
// "on_open". A handler's is "handler".
func FunctionName(kind engine.CallKind) string {
	if kind == engine.CallTimer {
		return "handler"
	}
	return hookNames[kind]
}

// react runs a function for a call of the engine, and returns its two results.
// An error is an [engine.Fault]: the engine refuses, and reports it.
func (s *script) react(c *engine.Call, kind engine.CallKind, function int) (*run, []lua.LValue, error) {
	if err := s.ready(); err != nil {
		return nil, nil, err
	}
	r := &run{script: s, call: c, kind: kind}
	results, err := r.invoke(function, 2, s.userdata(s.state.L(), &object{kind: objectNames[kind], run: r}))
	if fault, ok := errors.AsType[*engine.Fault](err); ok && fault.Timeout {
		r.unknown = nil // a replay knows only that the clock ended the run
	}
	return r, results, err
}

// A handler holds the functions of a door or a timer. It is an
// [engine.Handler].
type handler struct {
	script    *script
	functions [engine.CallTimer + 1]int // by kind of call, as script.addFunction numbers them; 0: none
}

// Handle runs the function for the call. Without a function it decides nothing.
func (h *handler) Handle(c *engine.Call) (engine.Decision, error) {
	function := h.functions[c.Kind]
	if function == 0 {
		return engine.Decision{}, nil
	}
	r, results, err := h.script.react(c, c.Kind, function)
	if r != nil && r.unknown != nil {
		return r.undecided(function)
	}
	if err != nil {
		return engine.Decision{}, err
	}
	switch c.Kind {
	case engine.CallStage, engine.CallOpen, engine.CallKnock:
		return r.decided(function, results)
	case engine.CallWhen, engine.CallMiss, engine.CallClose, engine.CallTimer: // nothing is left to refuse
	}
	return engine.Decision{Operations: r.operations}, nil
}

// undecided refuses the knock because of what nobody knows, whatever the
// function did afterwards. Where no knock can be refused, it is an error.
func (r *run) undecided(function int) (engine.Decision, error) {
	switch r.kind {
	case engine.CallStage, engine.CallOpen, engine.CallKnock:
		return engine.Decision{Refused: true, Verdict: *r.unknown}, nil
	case engine.CallWhen, engine.CallMiss, engine.CallClose, engine.CallTimer:
	}
	return engine.Decision{}, r.script.fault(function, "%s asked for a condition that nobody can decide, and did nothing: %s", hookNames[r.kind], r.unknown.Detail)
}

// decided reads the results of a function that may refuse. Nothing or true
// allows; false, with a reason or without, refuses. Anything else is a mistake
// of the script, and refuses as an error.
func (r *run) decided(function int, results []lua.LValue) (engine.Decision, error) {
	switch results[0] {
	case lua.LNil, lua.LTrue:
		return engine.Decision{Operations: r.operations}, nil
	case lua.LFalse:
		reason, err := r.reason(function, results[1])
		return engine.Decision{Refused: true, Verdict: engine.Verdict{Detail: reason}, Operations: r.operations}, err
	}
	return engine.Decision{}, r.script.fault(function, "%s", noResult(r.kind, results[0]))
}

// noResult returns why the functions for a kind of call cannot have a value as
// their first result; "": they can.
func noResult(kind engine.CallKind, v lua.LValue) string {
	_, isBool := v.(lua.LBool)
	switch kind {
	case engine.CallWhen:
		if !isBool {
			return fmt.Sprintf("when: the function returned %s: return true, or false and a reason", describe(v))
		}
	case engine.CallStage, engine.CallOpen, engine.CallKnock:
		if !isBool && v != lua.LNil {
			return fmt.Sprintf("%s: the function returned %s: return nothing to go on, or false and a reason", hookNames[kind], describe(v))
		}
	case engine.CallMiss, engine.CallClose, engine.CallTimer: // their results do not matter
	}
	return ""
}

// onlyFor is the message for a method that only some functions may call.
func onlyFor(name string, kinds []engine.CallKind, here engine.CallKind) string {
	var names []string
	for _, kind := range kinds {
		names = append(names, hookNames[kind])
	}
	return fmt.Sprintf("%s is for %s: access follows a completed sequence, and this is %s", name, strings.Join(names, " and "), hookNames[here])
}

// reason reads the second result of a function that refuses; "" when there is
// none.
func (r *run) reason(function int, v lua.LValue) (string, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return "", nil
	case lua.LString:
		if len(v) > maxText {
			return "", r.script.fault(function, "%s: a reason has at most %d bytes", hookNames[r.kind], maxText)
		}
		return string(v), nil
	}
	return "", r.script.fault(function, "%s: the reason is %s: expected a string", hookNames[r.kind], describe(v))
}
