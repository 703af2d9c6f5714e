package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/spelling"
	"sesame/scripting/source"
)

// An Object is something that scripts see: the table sesame, or what a function
// that reacts is given.
type Object struct {
	Name, Doc string
	Members   []Member
}

// A Member is one name of an object: a field, or a function.
type Member struct {
	Name    string
	Type    string // of a field, its type; of a function, how it is written behind its name
	Doc     string // one sentence
	Example string // "" for a field
	Options []Option

	// One of these is set.
	function func(*script, *lua.LState) int // of sesame
	method   func(*object, *lua.LState) int // of what functions are given
	field    func(*object) lua.LValue
}

// Callable reports whether the member is a function.
func (m Member) Callable() bool { return m.field == nil }

// An object is what a function that reacts is given. It is dead when the
// function has returned.
type object struct {
	kind      string // "attempt", as in the API
	call      *call
	perSource bool // of a store
}

func (o *object) kindName() string { return o.kind }

// install gives the Lua state its API.
func (s *script) install(api []Object) {
	L := s.state.L()
	s.metatables = map[string]*lua.LTable{}
	for _, o := range api {
		s.metatables[o.Name] = s.metatable(L, o)
	}
	s.state.SetGlobal("sesame", s.userdata(L, &object{kind: "sesame"}))
}

// userdata wraps a Go value for Lua. What is no object has no fields.
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

// metatable makes the read-only face of an object: its fields are computed when
// they are read.
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

// method checks what a method is called with.
func (s *script) method(o Object, m Member) lua.LGFunction {
	return func(L *lua.LState) int { return m.method(s.living(L, o, m), L) }
}

// living returns the object that a member is asked of, if it is one and its
// function has not returned.
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
		L.RaiseError("sesame.%s is for functions that react: nothing is stored while the file loads", m.Name)
	case o.Name == "sesame":
		return &object{kind: o.Name, call: s.current}
	case given.call.over:
		L.RaiseError("%s used after its handler returned", o.Name)
	}
	return given
}

// unknown raises that an object has no such member.
func (s *script) unknown(L *lua.LState, o Object, key lua.LValue) {
	var known []string
	for _, m := range o.Members {
		known = append(known, m.Name)
	}
	name := "?"
	if text, ok := key.(lua.LString); ok {
		name = string(text[:min(len(text), maxKey)])
	}
	message := fmt.Sprintf("%s has no %q%s", o.Name, name, spelling.DidYouMean(name, known))
	if name == "allow" && len(known) > 0 {
		message = fmt.Sprintf("%s has no %q: access follows a completed sequence, so allow is for on_open and on_knock", o.Name, name)
	}
	if s.loading != nil {
		file, place := s.caller(L)
		place.Column = file.Column(place.Line, name, 0)
		s.report(place, message)
	}
	s.state.Charge(suggestionCost, 0)
	L.RaiseError("%s", message)
}

// argument makes a value of a method's argument; what is wrong with it is raised.
func (o *object) argument(L *lua.LState, i int, what string) value {
	return value{lua: L.Get(i), what: what, report: func(_ source.Place, message string) {
		o.call.script.state.Charge(suggestionCost, 0)
		L.RaiseError("%s", message)
	}}
}
