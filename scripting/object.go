package scripting

import (
	"fmt"
	"math"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/source"
)

// An Object documents and implements one kind of value that scripts use: the
// table sesame, or the argument of a function, such as attempt.
type Object struct {
	Name, Doc string
	Members   []Member
}

// A Member is one name of an object: a field, or a function.
type Member struct {
	Name    string
	Type    string // of a field, its type; of a function, its arguments as they are written
	Doc     string // one sentence
	Returns string // of a function: the types of its results, as editors write them; "" for none
	Example string // "" for a field
	Options []Option

	// What follows is for finding mistakes in the text. See mistakes.go.
	holds     string                     // of a field: the object that it has
	arguments []argument                 // of a method; [none] when it has none
	only      []engine.CallKind          // of a method: the functions that may call it; nil: all
	acts      bool                       // of a method: a function for when cannot call it
	condition bool                       // of a registration: it makes a condition
	functions map[string]engine.CallKind // of a registration: what takes functions, beside options named as in hookNames

	// Exactly one of these is set. Functions and methods return the number of
	// their results.
	function func(*script, *lua.LState) int // of sesame, for the top level
	method   func(*object, *lua.LState) int // of the other objects
	field    func(*object) lua.LValue       // computed when it is read
}

// Callable reports whether the member is a function.
func (m Member) Callable() bool { return m.field == nil }

// Least returns how many arguments a call must have, beside the object. A registration needs all
// of its arguments.
func (m Member) Least() int {
	if m.method == nil {
		return math.MaxInt
	}
	n := 0
	for _, a := range m.arguments {
		if a.is&maybe != 0 {
			break
		}
		n++
	}
	return n
}

// An object is the argument of a function, or a store. It is dead when the
// function has returned: a script that stored it in a table gets an error.
type object struct {
	kind      string // "attempt", as in the API
	run       *run
	perSource bool // of a store
}

// install gives the Lua state the table sesame and the types of the other
// objects.
func (s *script) install(api []Object) {
	L := s.state.L()
	s.metatables = map[string]*lua.LTable{}
	for _, o := range api {
		s.metatables[o.Name] = s.metatable(L, o)
	}
	s.state.SetGlobal("sesame", s.userdata(L, &object{kind: "sesame"}))
}

// userdata wraps a Go value for Lua. Values that are not in the API, such as
// conditions and commands, have no fields: a script can only hand them on.
func (s *script) userdata(L *lua.LState, v any) *lua.LUserData {
	ud := L.NewUserData()
	ud.Value = v
	kind := kindOf(ud)
	if s.metatables[kind] == nil {
		s.metatables[kind] = s.metatable(L, Object{Name: kind})
	}
	ud.Metatable = s.metatables[kind]
	return ud
}

// metatable makes the type of an object for Lua. It is read-only and locked.
// The text of a field counts against the memory budget of the function.
func (s *script) metatable(L *lua.LState, o Object) *lua.LTable {
	fields, functions := map[string]Member{}, map[string]*lua.LFunction{}
	for _, m := range o.Members {
		switch {
		case m.field != nil:
			fields[m.Name] = m
		case m.method != nil:
			functions[m.Name] = L.NewFunction(s.method(o, m))
		default:
			functions[m.Name] = L.NewFunction(func(L *lua.LState) int { return m.function(s, L) })
		}
	}
	t := L.NewTable()
	t.RawSetString("__metatable", lua.LString("locked"))
	t.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int { L.Push(lua.LString(o.Name)); return 1 }))
	t.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s is read-only", o.Name)
		return 0
	}))
	t.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name, _ := L.Get(2).(lua.LString)
		if field, ok := fields[string(name)]; ok {
			value := field.field(s.living(L, o, field))
			if text, ok := value.(lua.LString); ok {
				s.state.Charge(0, int64(len(text)))
			}
			L.Push(value)
		} else if fn := functions[string(name)]; fn != nil {
			L.Push(fn)
		} else {
			s.unknown(L, o, L.Get(2))
		}
		return 1
	}))
	return t
}

// method makes the Lua function of a method, which checks the object that it is
// called with.
func (s *script) method(o Object, m Member) lua.LGFunction {
	return func(L *lua.LState) int { return m.method(s.living(L, o, m), L) }
}

// living returns the object whose member is used. It raises an error when it is
// another kind of value, or when its function has returned.
func (s *script) living(L *lua.LState, o Object, m Member) *object {
	ud, _ := L.Get(1).(*lua.LUserData)
	if ud == nil {
		L.RaiseError("%s was called without its %s: write %s:%s, with a colon", m.Name, o.Name, o.Name, m.Name)
	}
	given, ok := ud.Value.(*object)
	switch {
	case !ok || given.kind != o.Name:
		L.RaiseError("%s is for %s, not for %s", m.Name, article(o.Name), article(kindOf(ud)))
	case o.Name == "sesame" && s.current == nil:
		L.RaiseError("sesame.%s is for functions such as on_open: nothing is stored while the file loads", m.Name)
	case o.Name == "sesame":
		return &object{kind: o.Name, run: s.current}
	case given.run.over:
		L.RaiseError("%s used after its handler returned", o.Name)
	}
	return given
}

// unknown returns the message for a name that is no member of the object.
func (o Object) unknown(name string) string {
	var known []string
	for _, m := range o.Members {
		known = append(known, m.Name)
	}
	name = name[:min(len(name), maxKey)]
	if message := o.elsewhere(name, known); message != "" {
		return message
	}
	if name == "allow" && len(known) > 0 {
		return fmt.Sprintf("%s has no %q: access follows a completed sequence, so allow is for on_open and on_knock", o.Name, name)
	}
	return fmt.Sprintf("%s has no %q%s", o.Name, name, spelling.DidYouMean(name, known))
}

// elsewhere returns the message for a member of sesame that only tests have, or only scripts; ""
// for other names.
func (o Object) elsewhere(name string, known []string) string {
	isTest := slices.Contains(known, "test")
	switch {
	case o.Name != "sesame" || slices.Contains(known, name):
	case name == "test" && !isTest:
		return "sesame.test is for tests, which stand in a file of their own beside the script: move it to a file whose name ends in _test.lua"
	case isTest && slices.ContainsFunc(API()[0].Members, func(m Member) bool { return m.Name == name }):
		return fmt.Sprintf("sesame.%s is for scripts, and this file has tests, which have sesame.test alone: move it to a script", name)
	}
	return ""
}

// unknown raises the error that an object has no such member. While the file
// loads it is also a problem, so that it is reported with its place even if the
// script catches the error.
func (s *script) unknown(L *lua.LState, o Object, key lua.LValue) {
	name := "?"
	if text, ok := key.(lua.LString); ok {
		name = string(text)
	}
	message := o.unknown(name)
	if s.loading != nil {
		file, place := s.caller(L)
		place.Column = file.Column(place.Line, name, 0)
		s.report(place, message)
	}
	s.state.Charge(suggestionCost, 0)
	L.RaiseError("%s", message)
}

// argument returns the i-th argument of a method, the object itself being the
// first. Its problems are raised as errors of Lua. Raising one has a price,
// since a script may catch it and try again.
func (o *object) argument(L *lua.LState, i int, what string) value {
	return value{lua: L.Get(i), what: what, script: o.run.script, report: func(_ source.Place, message string) {
		o.run.script.state.Charge(suggestionCost, 0)
		L.RaiseError("%s", message)
	}}
}
