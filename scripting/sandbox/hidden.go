package sandbox

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// The rewritten tree calls these functions instead of the instructions of gopher-lua that allocate
// without bound or write to tables and globals.
//
// They are local variables of a chunk around the script's. Their names begin with a zero byte,
// which no token of Lua contains. So a script can neither read nor assign them, nor declare a
// variable that hides them. They have no entry in any table that a script could list, and the debug
// library, which reads the variables of other functions, does not exist.
const (
	hiddenConcat  = "\x00concat"  // (a, b, ...): a .. b .. ...
	hiddenCompare = "\x00compare" // ("<", a, b): a < b, for values that may be long strings
	hiddenSet     = "\x00set"     // (t, k, v): t[k] = v
	hiddenGlobal  = "\x00global"  // ("g", v): g = v
	hiddenTable   = "\x00table"   // ({...}): charges for a constructed table
	hiddenKey     = "\x00key"     // (k, position): a computed key of a constructor
	hiddenFunc    = "\x00func"    // (f): charges for a function that was made
	hiddenArgs    = "\x00args"    // (...): charges for passing them on
	// (name): the table of constants with that name. Each program has a function of its own.
	hiddenConstants = "\x00constants"
)

// hidden holds each name with its function. Its order is the contract between a compiled program,
// which takes the functions as its arguments, and State.hiddenOf, which passes them.
var hidden = []struct {
	name     string
	function func(*State, *lua.LState) int // nil: hiddenOf makes it for each program
}{
	{hiddenConcat, (*State).concat},
	{hiddenCompare, (*State).compare},
	{hiddenSet, (*State).set},
	{hiddenGlobal, (*State).global},
	{hiddenTable, (*State).table},
	{hiddenKey, (*State).key},
	{hiddenFunc, (*State).function},
	{hiddenArgs, (*State).args},
	{hiddenConstants, nil},
}

// hiddenOf returns the hidden functions for a program.
func (s *State) hiddenOf(p *Program) []lua.LValue {
	own := s.l.NewFunction(func(l *lua.LState) int { return s.constants(p, l) })
	return append(slices.Clone(s.hidden), own)
}
