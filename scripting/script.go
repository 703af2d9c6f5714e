package scripting

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/sandbox"
	"sesame/scripting/source"
)

// A script is one file with its Lua state.
type script struct {
	source  *source.Script
	scripts *source.Scripts
	api     []Object
	options Options                    // among them what was given from outside for sesame.option
	print   func(source.Place, string) // what print prints while the file loads; may be nil
	doors   map[string]source.Place    // of the whole set; empty until all files are loaded
	confs   map[string]source.Place    // that earlier files read
	again   bool                       // it was loaded, and is started anew for its functions alone

	state      *sandbox.State
	metatables map[string]*lua.LTable
	functions  []*lua.LFunction // those that react, in the order of their registration
	loading    *registration    // nil once the file is loaded
	current    *call            // nil while none is running
	failed     error            // why it could not be started again

	timers   []string // names of its handlers
	required []*source.Script
	allows   []source.AllowSite // through which its doors give access, and no other way
	closes   []source.CloseSite
}

// start makes a Lua state and runs the file in it. What it registers is
// returned even when it fails.
func (s *script) start() (*registration, error) {
	registered := &registration{timersAt: map[string]source.Place{}, confs: map[string]source.Place{}}
	s.loading, s.functions, s.required = registered, nil, nil
	defer func() { s.loading = nil }()
	s.state = sandbox.New(sandbox.Config{Require: s.require, Print: s.printed, Random: s.random})
	s.install()
	if err := s.state.Run(s.source.Program); err != nil {
		return registered, err
	}
	registered.finish(s)
	return registered, nil
}

// ready makes the Lua state anew when it has failed: what one packet did to it
// must not outlive that packet. The functions are found again by the order of
// their registration, which is the same each time.
func (s *script) ready() error {
	if s.failed != nil || !s.state.Broken() {
		return s.failed
	}
	before := len(s.functions)
	s.state.Close()
	s.print, s.again = nil, true
	registered, err := s.start()
	if err == nil && (len(registered.problems) > 0 || len(s.functions) != before) {
		err = errors.New("it registers something else than before")
	}
	if err != nil {
		s.failed = &engine.Fault{Script: s.source.Path, Detail: fmt.Sprintf("starting the script again: %v", err)}
	}
	return s.failed
}

// keep notes a function that reacts, and returns its number, from 1.
func (s *script) keep(fn *lua.LFunction) int {
	s.functions = append(s.functions, fn)
	return len(s.functions)
}

// fault blames a function.
func (s *script) fault(function int, format string, args ...any) error {
	proto := s.functions[function-1].Proto
	return &engine.Fault{Script: proto.SourceName, Line: proto.LineDefined, Detail: fmt.Sprintf(format, args...)}
}

// faultOf turns an error of the sandbox into what the engine tells.
func (s *script) faultOf(err error) error {
	fault := &engine.Fault{Script: s.source.Path, Detail: err.Error()}
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		fault.Line, fault.Detail = e.Line, e.Message
		if e.File != "" {
			fault.Script = e.File
		}
	}
	return fault
}

func (s *script) require(name string) (*sandbox.Program, error) {
	module, err := s.scripts.Require(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.required, module) {
		s.required = append(s.required, module)
	}
	return module.Program, nil
}

func (s *script) printed(line int, text string) {
	switch {
	case s.current != nil:
		s.current.line(s.state.Current(), text)
	case s.print != nil:
		s.print(source.Place{File: s.source.Path, Line: line}, text)
	}
}

func (s *script) random() float64 {
	if s.current == nil {
		s.state.Current().RaiseError("math.random is for functions that react: what a file registers is the same each time")
	}
	return s.current.float()
}

// install gives the state its API.
func (s *script) install() {
	L := s.state.L()
	s.metatables = map[string]*lua.LTable{}
	for _, o := range s.api {
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

// kindOf names what a value of ours is, for people and for its metatable.
func kindOf(ud *lua.LUserData) string {
	switch v := ud.Value.(type) {
	case *object:
		return v.kind
	case *Command:
		return "command"
	case engine.Condition:
		return "condition"
	}
	return "value"
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

func registerTimer(s *script, L *lua.LState) int {
	s.registering(L, "handler")
	v, _ := s.argument(L, "handler", "")
	name, ok := readName(v)
	v.lua = L.Get(2)
	fn, isFunction := v.function()
	if !ok || !isFunction {
		return 0
	}
	if first, ok := s.loading.timersAt[name]; ok {
		v.fail("%q is registered twice, first at %s", name, first)
	}
	s.loading.timersAt[name] = v.at
	h := &handler{script: s}
	h.functions[engine.CallTimer] = s.keep(fn)
	s.loading.timers = append(s.loading.timers, engine.Timer{Script: s.source.Path, Name: name, Handler: h})
	return 0
}

// learn notes what the file and its modules can do, once it is loaded.
func (s *script) learn(registered *registration) {
	s.timers = slices.Sorted(maps.Keys(registered.timersAt))
	doors := map[string]bool{"": true}
	for _, door := range registered.doors {
		doors[door.Name] = true
	}
	for _, file := range append([]*source.Script{s.source}, s.required...) {
		for _, site := range file.Allows {
			if doors[site.Door] {
				s.allows = append(s.allows, site)
			}
		}
		for _, site := range file.Closes {
			if doors[site.Door] {
				s.closes = append(s.closes, site)
			}
		}
	}
}
