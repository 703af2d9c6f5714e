package sandbox

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// require runs a module once for a State and returns what it returned, read-only. It works only
// while loading, under the limits of the load: a handler must not be able to run new code. The host
// chooses the file; a name is text to it, never a path.
func (s *State) require(l *lua.LState) int {
	name := l.CheckString(1)
	if len(name) > maxName {
		l.RaiseError("require: the name has %d bytes: at most %d", len(name), maxName)
	}
	if value, ok := s.modules.values[name]; ok {
		l.Push(value)
		return 1
	}
	switch {
	case !s.loading:
		l.RaiseError("require %q in a function that runs after loading: call require outside of functions", clip(name, 40))
	case s.cfg.Require == nil:
		l.RaiseError("require %q: there are no modules here", clip(name, 40))
	case slices.Contains(s.modules.loading, name):
		cycle := append(s.modules.loading[slices.Index(s.modules.loading, name):], name)
		l.RaiseError("modules require each other: %s", strings.Join(cycle, " requires "))
	}
	p, err := s.cfg.Require(name)
	if err != nil {
		raise(l, s.here(l, err))
	}
	value := s.module(l, name, p)
	s.modules.values[name] = value
	l.Push(value)
	return 1
}

// module runs the program of a module. A module that returns nothing has the value true.
func (s *State) module(l *lua.LState, name string, p *Program) lua.LValue {
	s.modules.loading = append(s.modules.loading, name)
	defer func() { s.modules.loading = s.modules.loading[:len(s.modules.loading)-1] }()
	s.programs[p.Name] = p
	l.Push(s.l.NewFunctionFromProto(p.proto))
	l.Call(pushAll(l, s.hiddenOf(p)), 1)
	l.Call(0, 1)
	value := l.Get(-1)
	l.Pop(1)
	if value == lua.LNil {
		value = lua.LTrue
	}
	s.freeze(fromModule, value)
	return value
}

// here gives an error that has no place the place of the line that calls require.
func (s *State) here(l *lua.LState, err error) error {
	if hasPlace(err) {
		return err
	}
	file, line, _ := s.place(l.Where(1))
	e := s.errorIn(file, line, err.Error())
	return e
}

// hasPlace reports whether an error, or one joined in it, is an Error with a file.
func hasPlace(err error) bool {
	if e, ok := err.(*Error); ok {
		return e.File != ""
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(joined.Unwrap(), hasPlace)
	}
	return false
}
