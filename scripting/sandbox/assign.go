package sandbox

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

const (
	// maxGap is how far beyond the end of its array a table may be assigned: enough to use ports as keys.
	maxGap = 65_536
	// maxChain bounds the walk along metatables, as in the Lua machine.
	maxChain = 100
)

// set is t[k] = v.
func (s *State) set(l *lua.LState) int {
	s.assign(l, l.Get(1), l.Get(2), l.Get(3))
	return 0
}

// assign does what the machine's instruction does, except that it charges and keeps read-only tables so.
func (s *State) assign(l *lua.LState, object, key, value lua.LValue) {
	if k, ok := key.(lua.LString); ok {
		s.charge(l, int64(len(k))/64, 0)
	}
	for range maxChain {
		table, ok := object.(*lua.LTable)
		if ok && table.RawGet(key) != lua.LNil {
			s.store(l, table, key, value)
			return
		}
		switch next := l.GetMetaField(object, "__newindex").(type) {
		case *lua.LNilType:
			if !ok {
				l.RaiseError("cannot assign %s of a %s value", fieldName(key), object.Type())
			}
			s.store(l, table, key, value)
			return
		case *lua.LFunction:
			l.Push(next)
			l.Push(object)
			l.Push(key)
			l.Push(value)
			l.Call(3, 0)
			return
		default:
			object = next
		}
	}
	l.RaiseError("the metatables of __newindex form a loop")
}

func fieldName(key lua.LValue) string {
	if text, ok := toText(key); ok {
		return "field '" + clip(text, 40) + "'"
	}
	return "a field"
}

// store puts a value into the table itself.
func (s *State) store(l *lua.LState, table *lua.LTable, key, value lua.LValue) {
	s.mutable(l, table)
	switch k := key.(type) {
	case *lua.LNilType:
		l.RaiseError("a table cannot have nil as a key")
	case lua.LNumber:
		if math.IsNaN(float64(k)) {
			l.RaiseError("a table cannot have not-a-number as a key")
		}
		if k >= 1 && k == lua.LNumber(math.Trunc(float64(k))) {
			s.storeItem(l, table, k, value)
			return
		}
	}
	if table.RawGet(key) == lua.LNil {
		if value == lua.LNil {
			return
		}
		s.charge(l, 0, newKeyBytes(table))
	}
	table.RawSet(key, value)
}

func newKeyBytes(table *lua.LTable) int64 {
	if all, _ := keyCounts(table); all == 0 {
		return firstKeyBytes
	}
	return keyBytes
}

// storeItem assigns a positive integer key. The machine would fill the array up to it.
func (s *State) storeItem(l *lua.LState, table *lua.LTable, key lua.LNumber, value lua.LValue) {
	n := arrayLen(table)
	gap := float64(key) - float64(n)
	switch {
	case gap > 0 && value == lua.LNil:
	case gap > maxGap:
		l.RaiseError("integer key %s is too large for a table of %d items; use a string key, for example tostring(key)", numberText(float64(key)), n)
	case gap > 0:
		s.charge(l, int64(gap)/16, int64(gap)*slotBytes)
		table.RawSetInt(int(key), value)
	default:
		table.RawSetInt(int(key), value)
		if value == lua.LNil && int(key) == n {
			s.trim(l, table)
		}
	}
}

// trim keeps this rule: the array of a table never ends in nil. So its length is found at once, by
// the machine too, which looks for it from the end.
func (s *State) trim(l *lua.LState, table *lua.LTable) {
	n := arrayLen(table)
	for ; n > 0 && table.RawGetInt(n) == lua.LNil; n-- {
		table.Remove(n)
		s.charge(l, 1, 0)
	}
}

// global is g = v, while loading: in functions it does not compile.
func (s *State) global(l *lua.LState) int {
	name, value := l.CheckString(1), l.Get(2)
	if s.given[name] {
		l.RaiseError("cannot assign the global %q: it is part of the language here", name)
	}
	s.declared[name] = true
	s.store(l, s.l.G.Global, lua.LString(name), value)
	return 0
}
