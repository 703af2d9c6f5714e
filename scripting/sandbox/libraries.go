package sandbox

import (
	"maps"
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// open gives scripts the libraries. None of gopher-lua's own libraries is opened: they allocate
// without limit (string.rep, table.concat, string.format), match patterns without a bound on their
// work, show addresses and reach the machine. What scripts get is written here, function by
// function.
//
// The libraries are those of Lua 5.1 with these differences:
//
//   - Reading a global that nobody has defined is an error, and so is reading a function that a
//     library does not have.
//   - A number as text is as exact as it needs to be: tostring(0.1+0.2) is 0.30000000000000004.
//     Infinity is inf, not-a-number nan. A text of more than 256 characters is not a number.
//   - tostring shows no address: "table", "function".
//   - A string that a function or an operator makes has at most 64 KiB; a function returns at most
//     4,000 values.
//   - pcall and xpcall nest 20 deep. The function given to xpcall sees an unwound stack.
//   - Patterns are checked as a whole before they are used.
//   - math.random draws from the host; there is no seed.
//   - An integer key lies at most 65,536 beyond the end of a table's array.
//   - string.unpack(data, format [, position]) is new, and so is table.unpack, which is unpack.
func (s *State) open() {
	s.fill(s.l.G.Global, s.base())
	s.ipairsStep = s.l.NewFunction(ipairsStep)
	strings := s.library("string", s.strings())
	s.library("table", s.tables())
	maths := s.library("math", s.maths())
	maths.RawSetString("huge", lua.LNumber(math.Inf(1)))
	maths.RawSetString("pi", lua.LNumber(math.Pi))
	s.SetGlobal("_VERSION", lua.LString("Lua 5.1"))
	s.l.SetMetatable(lua.LString(""), s.stringMetatable(strings))
	for name := range s.base() {
		s.given[name] = true
	}
	s.strict(s.l.G.Global, "")
}

// library makes a table of functions a global. SetGlobal makes it read-only.
func (s *State) library(name string, functions map[string]lua.LGFunction) *lua.LTable {
	table := s.l.CreateTable(0, len(functions))
	s.fill(table, functions)
	s.strict(table, name)
	s.SetGlobal(name, table)
	return table
}

// fill adds functions in the order of their names, so that pairs lists them the same in every run.
func (s *State) fill(table *lua.LTable, functions map[string]lua.LGFunction) {
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		table.RawSetString(name, s.l.NewFunction(functions[name]))
	}
}

// strict makes reading what is not there an error, which names what there is instead. library is
// "" for the table of globals. The field __metatable prevents scripts from replacing the metatable.
func (s *State) strict(table *lua.LTable, library string) {
	mt := s.l.CreateTable(0, 2)
	mt.RawSetString("__metatable", lua.LFalse)
	mt.RawSetString("__index", s.l.NewFunction(func(l *lua.LState) int {
		key, _ := toText(l.Get(2))
		if library == "" && s.declared[key] {
			return 0
		}
		global, field := library, clip(key, 40)
		if library == "" {
			global, field = field, ""
		}
		message := absentMessage(global, field)
		switch {
		case message != "":
		case field != "":
			message = global + "." + field + " does not exist"
		default:
			message = undefinedMessage(global)
		}
		l.RaiseError("%s", message)
		return 0
	}))
	table.Metatable = mt
}
