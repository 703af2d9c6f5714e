package sandbox

import (
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// tables returns the functions of table. Those that change a table call mutable first, keep its
// array free of holes at the end (State.trim), and charge for the items that they move.
// gopher-lua's own do none of this.
func (s *State) tables() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"concat": s.tableConcat,
		"insert": s.tableInsert,
		"maxn":   s.tableMaxn,
		"remove": s.tableRemove,
		"sort":   s.tableSort,
		"unpack": s.unpack,
	}
}

// tableConcat checks the length after each item, so it stops at MaxString.
func (s *State) tableConcat(l *lua.LState) int {
	table, separator := l.CheckTable(1), ""
	if l.Get(2) != lua.LNil {
		separator = s.string(l, 2)
	}
	from, to := s.optInt(l, 3, 1), s.optInt(l, 4, arrayLen(table))
	var b strings.Builder
	for i := from; i <= to; i++ {
		text, ok := toText(table.RawGetInt(i))
		if !ok {
			l.RaiseError("cannot concatenate item %d of the table: it is a %s value", i, table.RawGetInt(i).Type())
		}
		if i > from {
			b.WriteString(separator)
		}
		b.WriteString(text)
		s.fits(l, b.Len())
		s.charge(l, 1, 0)
	}
	return s.pushString(l, b.String())
}

// tableInsert refuses positions that would leave a gap.
func (s *State) tableInsert(l *lua.LState) int {
	table := l.CheckTable(1)
	n := arrayLen(table)
	switch l.GetTop() {
	case 2:
		s.store(l, table, lua.LNumber(n+1), l.Get(2))
		return 0
	case 3:
	default:
		l.RaiseError("table.insert takes a table, perhaps a position, and a value")
	}
	position, value := s.int(l, 2), l.Get(3)
	if position < 1 || position > n+1 {
		l.ArgError(2, "position out of bounds")
	}
	if position == n+1 {
		s.store(l, table, lua.LNumber(position), value)
		return 0
	}
	s.mutable(l, table)
	s.charge(l, int64(n-position)/16, slotBytes)
	table.Insert(position, value)
	return 0
}

func (s *State) tableRemove(l *lua.LState) int {
	table := l.CheckTable(1)
	n := arrayLen(table)
	position := s.optInt(l, 2, n)
	s.mutable(l, table)
	if position < 1 || position > n {
		l.Push(lua.LNil)
		return 1
	}
	s.charge(l, int64(n-position)/16, 0)
	l.Push(table.Remove(position))
	s.trim(l, table)
	return 1
}

// tableSort sorts a copy, because the comparison is code of the script and may change the table. A
// comparison that contradicts itself gives some order; sort.Slice ends in any case.
func (s *State) tableSort(l *lua.LState) int {
	table := l.CheckTable(1)
	s.mutable(l, table)
	less := func(a, b lua.LValue) bool { return s.less(l, a, b) }
	if l.Get(2) != lua.LNil {
		fn := l.CheckFunction(2)
		less = func(a, b lua.LValue) bool { return lua.LVAsBool(call2(l, fn, a, b)) }
	}
	n := arrayLen(table)
	s.charge(l, int64(n), int64(n)*16)
	list := make([]lua.LValue, n)
	for i := range list {
		list[i] = table.RawGetInt(i + 1)
	}
	sort.Slice(list, func(i, j int) bool {
		s.charge(l, 1, 0)
		return less(list[i], list[j])
	})
	for i, v := range list {
		table.RawSetInt(i+1, v)
	}
	s.trim(l, table)
	return 0
}

// tableMaxn returns the largest positive number among the keys.
func (s *State) tableMaxn(l *lua.LState) int {
	table := l.CheckTable(1)
	largest := lua.LNumber(arrayLen(table))
	keys, _ := keyCounts(table)
	s.charge(l, int64(arrayLen(table)+keys)/8, 0)
	table.ForEach(func(key, _ lua.LValue) {
		if k, ok := key.(lua.LNumber); ok && k > largest {
			largest = k
		}
	})
	l.Push(largest)
	return 1
}
