package scripting

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/source"
)

// caller returns the file, and the place in it, that called the API. A function
// that pcall calls has a stack of its own, on which there may be no file. Then
// the stack of the state is searched.
func (s *script) caller(L *lua.LState) (*source.Script, source.Place) {
	return s.callerOutside(L, nil)
}

// callerOutside returns the innermost file that is not the inner one, and the
// place in it.
func (s *script) callerOutside(L *lua.LState, inner *source.Script) (*source.Script, source.Place) {
	for _, stack := range []*lua.LState{L, s.state.L()} {
		for level := 1; ; level++ {
			frame, ok := stack.GetStack(level)
			if !ok {
				break
			}
			_, err := stack.GetInfo("Sl", frame, nil)
			if file := s.scripts.Find(frame.Source); err == nil && file != nil && file != inner && frame.CurrentLine > 0 {
				return file, source.Place{File: file.Path, Line: frame.CurrentLine}
			}
		}
	}
	return s.source, source.Place{File: s.source.Path}
}

// What a registration costs, beside its entries: looking for its place, and what is kept of it. The
// calls in its line are looked through.
const (
	registrationSteps = 32
	registrationBytes = 512
	callsOfAStep      = 8
)

// argument returns the first argument of a registration with its place, and the
// name of the variable that the result is assigned to. It refuses a registration
// by a function that runs later. The stack has the
// line alone; the rest comes from the text. When a line has several calls of
// this kind, the name is "" and the entries of the table have no places.
func (s *script) argument(L *lua.LState, kind, name string) (v value, bound string) {
	if s.loading == nil {
		L.RaiseError("sesame.%s registers while the file loads: call it at the top level, not in a function such as on_open", kind)
	}
	file, place := s.caller(L)
	s.state.Charge(registrationSteps+int64(file.Calls(place.Line))/callsOfAStep, registrationBytes)
	v = value{lua: L.Get(1), what: "sesame." + kind, source: file, script: s, ranBefore: s.options.RanBefore}
	if name != "" {
		v.what = fmt.Sprintf("sesame.%s %q", kind, name)
	}
	found := file.Call(place.Line, kind, name)
	if found != nil {
		if bound = found.Bound; found.Table != nil {
			v.expr = ast.Expr(found.Table)
		}
	}
	v.report = s.reporter(L, file, v.what, name != "" && (found == nil || found.Computed()))
	place.Column = file.Column(place.Line, "sesame."+kind, 0)
	v.at = place
	return v, bound
}

// reporter returns what reports the problems of a registration. Where the place
// alone does not tell which registration it is, they name what it is, and the
// caller of the module that registers it.
func (s *script) reporter(L *lua.LState, file *source.Script, what string, computed bool) func(source.Place, string) {
	before, behind := "", ""
	if computed {
		before = what + ": "
	}
	if file != s.source {
		if outer, at := s.callerOutside(L, file); outer != file && at.Line > 0 {
			behind = fmt.Sprintf(" (called from %s)", at)
		}
	}
	if around := s.loading.around(what); around != nil {
		behind += fmt.Sprintf(" (in %s)", around)
	}
	return func(at source.Place, message string) {
		s.state.Charge(suggestionCost, 0)
		if strings.Contains(message, what) {
			s.report(at, message+behind)
			return
		}
		s.report(at, before+message+behind)
	}
}

// fatal reports a problem and ends the loading of the file: what follows cannot
// be made sense of.
func (s *script) fatal(L *lua.LState, v value, format string, args ...any) {
	v.fail(format, args...)
	L.RaiseError("%s: %s", v.what, fmt.Sprintf(format, args...))
}

// named makes the function behind sesame.door "ssh" { ... }. In Lua these are
// two calls: the first takes the name and returns a function, which takes the
// table.
func named(kind string, register func(s *script, v value, name string) lua.LValue) func(*script, *lua.LState) int {
	return func(s *script, L *lua.LState) int {
		v, _ := s.argument(L, kind, "")
		if _, ok := v.lua.(lua.LString); !ok || L.GetTop() != 1 {
			s.fatal(L, v, `expected a name and then a table: write sesame.%s "NAME" { ... }`, kind)
		}
		name, ok := readName(v)
		p := &pending{kind: kind, name: name, at: v.at, done: !ok}
		found := v.source.Call(v.at.Line, kind, name)
		p.computed = found == nil || found.Computed()
		s.loading.pending = append(s.loading.pending, p)
		L.Push(L.NewFunction(func(L *lua.LState) int {
			v, _ := s.argument(L, kind, name)
			p.done = true
			L.Push(register(s, v, name))
			return 1
		}))
		return 1
	}
}
