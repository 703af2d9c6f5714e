package sandbox

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// base returns the global functions of Lua 5.1, without those that load code, read files, change
// environments or write to a table behind its metamethods (absent.go has the list).
func (s *State) base() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"assert":       assert,
		"error":        s.error,
		"getmetatable": getmetatable,
		"ipairs":       s.ipairs,
		"next":         s.next,
		"pairs":        s.pairs,
		"pcall":        s.pcall,
		"print":        s.print,
		"rawequal":     s.rawequal,
		"rawget":       s.rawget,
		"require":      s.require,
		"select":       s.choose,
		"setmetatable": s.setmetatable,
		"tonumber":     s.tonumber,
		"tostring":     s.tostring,
		"type":         typeName,
		"unpack":       s.unpack,
		"xpcall":       s.xpcall,
	}
}

func assert(l *lua.LState) int {
	if !lua.LVAsBool(l.CheckAny(1)) {
		if l.GetTop() < 2 {
			l.RaiseError("assertion failed")
		}
		throw(l, l.Get(2))
	}
	return l.GetTop()
}

// error raises a value. A string gets the place of the level that is named: 1 is the caller of
// error.
func (s *State) error(l *lua.LState) int {
	object, level := l.Get(1), s.optInt(l, 2, 1)
	if text, ok := object.(lua.LString); ok && level > 0 {
		s.charge(l, int64(len(text))/16, int64(len(text)))
		if where := l.Where(level); strings.HasSuffix(where, ":") && !strings.HasPrefix(where, "[G]") {
			object = lua.LString(where + " " + string(text))
		}
	}
	throw(l, object)
	return 0
}

// throw raises a value as it is, without a place.
func throw(l *lua.LState, object lua.LValue) { l.Error(object, 0) }

// getmetatable returns the metatable of a table, and nil for all other values. The metatables of
// strings and of the host's values are shared by all calls and must not reach a script.
func getmetatable(l *lua.LState) int {
	table, ok := l.CheckAny(1).(*lua.LTable)
	if !ok {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(l.GetMetatable(table))
	return 1
}

// setmetatable changes the metatable of a table. gopher-lua's own does not check whether the table
// is read-only.
func (s *State) setmetatable(l *lua.LState) int {
	table, mt := l.CheckTable(1), l.Get(2)
	if mt.Type() != lua.LTNil && mt.Type() != lua.LTTable {
		l.TypeError(2, lua.LTTable)
	}
	s.mutable(l, table)
	if old, ok := table.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		l.RaiseError("cannot change a protected metatable")
	}
	table.Metatable = mt
	l.SetTop(1)
	return 1
}

func (s *State) ipairs(l *lua.LState) int {
	table := l.CheckTable(1)
	l.Push(s.ipairsStep)
	l.Push(table)
	l.Push(lua.LNumber(0))
	return 3
}

// ipairsStep is the iterator of ipairs. It is one function for the whole State, so that ipairs
// allocates nothing.
func ipairsStep(l *lua.LState) int {
	table, i := l.CheckTable(1), l.CheckInt(2)+1
	value := table.RawGetInt(i)
	if value == lua.LNil {
		return 0
	}
	l.Push(lua.LNumber(i))
	l.Push(value)
	return 2
}

func (s *State) pairs(l *lua.LState) int {
	table := l.CheckTable(1)
	l.Push(s.l.G.Global.RawGetString("next"))
	l.Push(table)
	l.Push(lua.LNil)
	return 3
}

// next walks the array, then the other keys in the order in which they were first set, so the order
// is the same in every run. It defends against LTable.Next, which in one step skips holes of the
// array and keys that have no value any more: both are charged. Skipped keys are charged by the
// number of all that are gone, which is never too low.
func (s *State) next(l *lua.LState) int {
	table, key := l.CheckTable(1), l.Get(2)
	s.surcharge(l, keyWeight(key), 0)
	n, from := arrayLen(table), 0
	if k, ok := key.(lua.LNumber); ok && k >= 1 && k == lua.LNumber(int64(k)) && k < lua.LNumber(lua.MaxArrayIndex) {
		// A field that was cleared on the way may have been the array's last.
		from = min(int(k), n)
		key = lua.LNumber(from)
		if from == 0 {
			key = lua.LNil
		}
	}
	after, value := table.Next(key)
	if after == lua.LNil {
		l.Push(lua.LNil)
		return 1
	}
	if k, ok := after.(lua.LNumber); ok && k >= 1 && int(k) <= n {
		s.charge(l, int64(int(k)-from)/8, 0)
	} else {
		_, gone := keyCounts(table)
		s.charge(l, int64(gone)/8, 0)
	}
	l.Push(after)
	l.Push(value)
	return 2
}

// print writes its arguments with tabs between them. The line is charged like a string that is
// made.
func (s *State) print(l *lua.LState) int {
	var b strings.Builder
	for i := 1; i <= l.GetTop(); i++ {
		if i > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(s.text(l, l.Get(i)))
		s.fits(l, b.Len())
	}
	s.charge(l, int64(b.Len())/16, int64(b.Len()))
	if s.cfg.Print != nil {
		_, line, _ := s.place(l.Where(1))
		s.cfg.Print(line, b.String())
	}
	return 0
}

func (s *State) rawequal(l *lua.LState) int {
	s.surcharge(l, equalWeight(l.Get(1), l.Get(2)), 0)
	l.Push(lua.LBool(l.RawEqual(l.CheckAny(1), l.CheckAny(2))))
	return 1
}

func (s *State) rawget(l *lua.LState) int {
	s.surcharge(l, keyWeight(l.Get(2)), 0)
	l.Push(l.CheckTable(1).RawGet(l.CheckAny(2)))
	return 1
}

// choose is select. It returns a part of its arguments, which the machine copies.
func (s *State) choose(l *lua.LState) int {
	count := l.GetTop() - 1
	if l.Get(1) == lua.LString("#") {
		l.Push(lua.LNumber(count))
		return 1
	}
	n := s.int(l, 1)
	switch {
	case n < 0:
		n += count + 1
	case n > count:
		n = count + 1
	}
	if n < 1 {
		l.ArgError(1, "index out of range")
	}
	s.charge(l, int64(count)/4, 0)
	return count - n + 1
}

// tonumber converts by the rules of numbers.go. gopher-lua's own takes Go's forms of numbers.
func (s *State) tonumber(l *lua.LState) int {
	value := l.CheckAny(1)
	base := 10
	if l.Get(2) != lua.LNil {
		base = s.int(l, 2)
	}
	if base == 10 {
		if f, ok := s.numeric(l, value); ok {
			l.Push(lua.LNumber(f))
			return 1
		}
		l.Push(lua.LNil)
		return 1
	}
	if base < 2 || base > 36 {
		l.ArgError(2, "base out of range")
	}
	text, _ := toText(value)
	if len(text) > maxDigits {
		l.Push(lua.LNil)
		return 1
	}
	text = strings.Trim(text, " \t\n\r\f\v")
	if base == 16 {
		if hex, ok := cutHex(text); ok {
			text = hex
		}
	}
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil || strings.Contains(text, "_") {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(n))
	return 1
}

func (s *State) tostring(l *lua.LState) int {
	l.Push(lua.LString(s.text(l, l.CheckAny(1))))
	return 1
}

func typeName(l *lua.LState) int {
	l.Push(lua.LString(l.CheckAny(1).Type().String()))
	return 1
}

// unpack returns the items of a list, by default all that #t counts.
func (s *State) unpack(l *lua.LState) int {
	table := l.CheckTable(1)
	from, to := s.optInt(l, 2, 1), s.optInt(l, 3, arrayLen(table))
	return s.returns(l, from, to, func(i int) lua.LValue { return table.RawGetInt(i) })
}
