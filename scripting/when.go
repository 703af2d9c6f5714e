package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// conditions reads a condition, a function, or a list of both.
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
		v.fail("expected at most %d conditions, with those within sesame.any", maxConditions)
		return nil
	}
	return conditions
}

// maxConditions bounds how many conditions one knock makes a door check: each function among them has a
// budget of its own.
const maxConditions = 32

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
		f := &Function{Name: v.what, script: s, index: s.keep(given)}
		f.Place = source.Place{File: given.Proto.SourceName, Line: given.Proto.LineDefined}
		if variable, ok := v.expr.(*ast.IdentExpr); ok {
			f.Name = variable.Value
		}
		return f
	}
	v.expected("a condition such as sesame.window { ... }, or a function")
	return nil
}

// A Function is a condition that a script computes. It is an
// [engine.Condition].
type Function struct {
	Name   string
	Place  source.Place
	script *script
	index  int
}

// Check calls the function. It must return true, or false and a reason.
func (f *Function) Check(m *engine.Call) (engine.Verdict, error) {
	c, results, err := f.script.react(m, engine.CallWhen, f.index)
	if err != nil {
		return engine.Verdict{}, err
	}
	ok, isBool := results[0].(lua.LBool)
	if !isBool {
		return engine.Verdict{}, f.script.fault(f.index, "when: the function returned %s: return true, or false and a reason", describe(results[0]))
	}
	reason, err := c.reason(f.index, results[1])
	if reason == "" {
		reason = f.String()
	}
	if ok || err != nil {
		return engine.Verdict{OK: err == nil}, err
	}
	return engine.Verdict{Detail: reason}, nil
}

// String returns "NAME: function at FILE:LINE".
func (f *Function) String() string { return fmt.Sprintf("%s: function at %s", f.Name, f.Place) }
