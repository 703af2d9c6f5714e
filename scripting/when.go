package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// conditions reads the value of when: a condition, a function, or a list of
// both. It is nil when that is wrong.
func (s *script) conditions(v value) []engine.Condition {
	if _, ok := v.lua.(*lua.LTable); !ok {
		if one := s.condition(v); one != nil {
			return []engine.Condition{one}
		}
		return nil
	}
	items, _ := v.items("a condition, a function, or a list of both")
	var conditions []engine.Condition
	for _, item := range items {
		if one := s.condition(item); one != nil {
			conditions = append(conditions, one)
		}
	}
	if condition.Count(conditions) > maxConditions {
		v.fail("expected at most %d conditions, with those within others", maxConditions)
		return nil
	}
	return conditions
}

// anEnd is what the option ends_with takes, for messages.
const anEnd = "a window, or sesame.any of windows alone: nothing else has an end that is known beforehand"

// endsWith reads the value of ends_with. It is nil when that is wrong.
func (v value) endsWith() engine.Period {
	ud, _ := v.lua.(*lua.LUserData)
	if ud == nil {
		v.expected(anEnd)
		return nil
	}
	switch one := ud.Value.(type) {
	case engine.Condition:
		if incomplete(one) { // its problem is reported
			return nil
		}
		if period, ok := condition.AsPeriod(one); ok {
			return period
		}
		v.fail("expected %s, got %s", anEnd, one)
	default:
		v.expected(anEnd)
	}
	return nil
}

// maxConditions bounds how many conditions one knock makes a door check: each
// function among them has a budget of its own.
const maxConditions = 32

// condition reads one condition. A function becomes one that is called by the
// name of its variable.
func (s *script) condition(v value) engine.Condition {
	switch given := v.lua.(type) {
	case *lua.LUserData:
		if one, ok := given.Value.(engine.Condition); ok {
			return one
		}
	case *lua.LFunction:
		if given.IsG {
			break
		}
		f := &Function{name: v.what, script: s, index: s.addFunction(given)}
		f.Place = source.Place{File: given.Proto.SourceName, Line: given.Proto.LineDefined}
		if variable, ok := v.expr.(*ast.IdentExpr); ok {
			f.name = variable.Value
		}
		return f
	}
	v.noCondition()
	return nil
}

// What is wrong with a value that an operator made of conditions.
const (
	notFalse    = "not makes false of a condition"
	noOperators = "operators cannot combine conditions"
)

// noCondition reports a value that is no condition. A truth value is what Lua
// makes of conditions with its operators.
func (v value) noCondition() {
	switch e := v.expr.(type) {
	case *ast.UnaryNotOpExpr:
		name := "..."
		if variable, ok := e.Expr.(*ast.IdentExpr); ok {
			name = variable.Value
		}
		v.fail("%s: write sesame.none { %s }", notFalse, name)
	case *ast.LogicalOpExpr, *ast.RelationalOpExpr:
		v.fail("got %s: %s: write a list for all of them, or sesame.any or sesame.none", describe(v.lua), noOperators)
	default:
		v.expected("a condition such as sesame.window { ... }, or a function")
	}
}

// A Function is a condition that a function of a script decides. It is an
// [engine.Condition].
type Function struct {
	name   string
	Place  source.Place
	script *script
	index  int // as script.addFunction numbers it
}

// Check runs the function. It must return true, or false and a reason. Unlike
// the functions of a door it must return something: to forget the return must
// not open the door.
func (f *Function) Check(c *engine.Call) (engine.Verdict, error) {
	r, results, err := f.script.react(c, engine.CallWhen, f.index)
	if r != nil && r.unknown != nil {
		return *r.unknown, nil
	}
	if err != nil {
		return engine.Verdict{}, err
	}
	ok, isBool := results[0].(lua.LBool)
	if !isBool {
		return engine.Verdict{}, f.script.fault(f.index, "%s", noResult(engine.CallWhen, results[0]))
	}
	reason, err := r.reason(f.index, results[1])
	if reason == "" {
		reason = f.String()
	}
	if ok && err == nil {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	return engine.Verdict{Condition: f.name, Detail: reason}, err
}

// Name implements [engine.Condition].
func (f *Function) Name() string { return f.name }

// String returns "NAME: function at FILE:LINE".
func (f *Function) String() string { return fmt.Sprintf("%s: function at %s", f.name, f.Place) }
