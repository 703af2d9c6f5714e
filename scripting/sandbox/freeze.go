package sandbox

import (
	"fmt"
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// This file prevents changes of the values that a script made while loading. Two kinds of memory
// would otherwise outlive a call: tables, and variables that a function has captured.
//
// Tables are entered into State.frozen. Every write to a table calls State.mutable first: the
// hidden function of t[k] = v, setmetatable, table.insert, table.remove and table.sort. rawset does
// not exist, and the instructions OP_SETTABLE and OP_SETTABLEKS are left only in constructors,
// where the table is new (rewrite.go).
//
// Captured variables are found when a function is frozen. check.go refuses at compile time to
// assign a variable of the chunk in a function. What remains are variables of a function that was
// called while loading. They are compared after each call: see restore.

// freeze makes values, and all that a script can reach from them, read-only. It walks without
// recursion, because a list may be as long as the budget allows, and it visits each table once.
//
// While loading it does not follow what functions have captured: a module's functions may still
// change it until the load is over.
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
			v.ForEach(func(key, value lua.LValue) { // a list may have a million constants
				if !isScalar(key) || !isScalar(value) {
					values = append(values, key, value)
				}
			})
		case *lua.LUserData:
			values = append(values, v.Metatable)
		case *lua.LFunction:
			if !s.loading {
				values = append(values, s.captured(v)...)
			}
		}
	}
}

func isScalar(v lua.LValue) bool {
	switch v.(type) {
	case lua.LString, lua.LNumber, lua.LBool:
		return true
	}
	return false
}

// A cell is a captured variable that some function assigns, and that outlives calls because a
// function that outlives them holds it. A variable of the chunk is never a cell: a function that
// assigns one does not compile.
type cell struct {
	variable *lua.Upvalue
	value    lua.LValue // as it was after loading
	name     string
	fn       *lua.FunctionProto
}

// captured returns the values of the variables that a function has captured, and records the cells
// among them. For a function that it has seen before it returns nothing.
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

// assignsCaptured reports whether a function, or one that it makes, assigns to a captured variable.
// It looks for the instruction OP_SETUPVAL, whose number is in the upper 6 of 32 bits.
func assignsCaptured(proto *lua.FunctionProto) bool {
	assigns := func(instruction uint32) bool { return int(instruction>>26) == lua.OP_SETUPVAL }
	return slices.ContainsFunc(proto.Code, assigns) || slices.ContainsFunc(proto.FunctionPrototypes, assignsCaptured)
}

// restore gives each cell the value again that it had after loading. It returns an error when one
// was changed: the script relies on memory that a reload would lose.
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

// sameValue reports whether two values are identical; not-a-number is identical to itself here.
func sameValue(a, b lua.LValue) bool {
	x, isNumber := a.(lua.LNumber)
	y, areNumbers := b.(lua.LNumber)
	return a == b || isNumber && areNumbers && math.IsNaN(float64(x)) && math.IsNaN(float64(y))
}

// mutable raises an error when a table is read-only. Everything that writes to a table calls it
// first.
func (s *State) mutable(l *lua.LState, table *lua.LTable) {
	switch s.frozen[table] {
	case fromHost:
		l.RaiseError("cannot change this table: it is part of the language here")
	case fromModule, fromLoad:
		l.RaiseError("cannot change this table: it was made while loading, and the change would be lost at the next reload; keep state in the store (attempt.store)")
	}
}

// An origin shows where a read-only table comes from. The zero origin is a table that may change.
type origin uint8

const (
	fromHost   origin = iota + 1
	fromModule        // what a module returned; until the load ends its functions may change what they captured
	fromLoad          // made by the script
)
