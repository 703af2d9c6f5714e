package sandbox

import (
	"fmt"
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// freeze walks values without recursion: a list may be as long as memory allows. What functions
// have captured may change until the load is over.
func (s *State) freeze(from origin, values ...lua.LValue) {
	for len(values) > 0 {
		v := values[len(values)-1]
		values = values[:len(values)-1]
		switch v := v.(type) {
		case *lua.LTable:
			if was := s.frozen[v]; was == from || was == fromHost || was == fromLoad {
				continue
			}
			s.frozen[v] = from
			values = append(values, v.Metatable)
			v.ForEach(func(key, value lua.LValue) { values = append(values, key, value) })
		case *lua.LUserData:
			values = append(values, v.Metatable)
		case *lua.LFunction:
			if !s.loading {
				values = append(values, s.captured(v)...)
			}
		}
	}
}

// A cell is a variable that outlives calls, because a function that outlives them has captured it,
// and that some function assigns. Variables of the chunk are never so: their assignment does not
// compile.
type cell struct {
	variable *lua.Upvalue
	value    lua.LValue // as it was after loading
	name     string
	fn       *lua.FunctionProto
}

// captured returns what a function holds, once, and notes the cells among it.
func (s *State) captured(fn *lua.LFunction) (values []lua.LValue) {
	if fn.IsG || s.known[fn] {
		return nil
	}
	s.known[fn] = true
	assigns := assignsCaptured(fn.Proto)
	for i, variable := range fn.Upvalues {
		if variable == nil {
			continue
		}
		values = append(values, variable.Value())
		if assigns {
			s.cells = append(s.cells, cell{variable, variable.Value(), fn.Proto.DbgUpvalues[i], fn.Proto})
		}
	}
	return values
}

// assignsCaptured reports whether a function, or one that it makes, assigns to a
// variable that it has captured.
func assignsCaptured(proto *lua.FunctionProto) bool {
	assigns := func(instruction uint32) bool { return int(instruction>>26) == lua.OP_SETUPVAL }
	return slices.ContainsFunc(proto.Code, assigns) || slices.ContainsFunc(proto.FunctionPrototypes, assignsCaptured)
}

// restore undoes what a call left behind in captured variables, and says so.
func (s *State) restore() (err error) {
	for _, c := range s.cells {
		if sameValue(c.variable.Value(), c.value) {
			continue
		}
		c.variable.SetValue(c.value)
		if err == nil {
			err = s.errorIn(c.fn.SourceName, c.fn.LineDefined, fmt.Sprintf(
				"the variable %q was changed by this function, which was made while loading; the change would be lost at the next reload: keep state in the store (attempt.store)", c.name))
		}
	}
	return err
}

func sameValue(a, b lua.LValue) bool {
	x, isNumber := a.(lua.LNumber)
	y, areNumbers := b.(lua.LNumber)
	return a == b || isNumber && areNumbers && math.IsNaN(float64(x)) && math.IsNaN(float64(y))
}

func (s *State) mutable(l *lua.LState, table *lua.LTable) {
	switch s.frozen[table] {
	case fromHost:
		l.RaiseError("cannot change this table: it is part of the language here")
	case fromModule, fromLoad:
		l.RaiseError("cannot change this table: it was made while loading, and the change would be lost at the next reload; keep state in the store (attempt.store)")
	}
}

// An origin says where a read-only table comes from. The zero origin is a table that may change.
type origin uint8

const (
	fromHost   origin = iota + 1
	fromModule        // what a module returned, while the load goes on; what its functions hold may still change
	fromLoad
)
