package sandbox

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// This file is what scripts get instead of gopher-lua's assignment to a field (OP_SETTABLE,
// LState.setField) and to a global (OP_SETGLOBAL). It defends against three things:
//
//   - LTable.RawSetInt fills the array with nil up to the key: t[60000000] = 1 takes a gigabyte.
//   - LTable.Len searches from the end of the array for a value, so #t of an array of holes costs
//     its whole length in one instruction. trim prevents a hole at the end of the array.
//   - A table that was made while loading must not change.

const (
	// maxGap is how far beyond the end of its array a table may be assigned: enough to
	// use ports as keys. The gap is charged, so a call of 4 MiB makes two such tables at most.
	maxGap = 65_536
	// maxChain bounds the walk along metatables, as MaxTableGetLoop does in gopher-lua.
	maxChain = 100
)

// set is t[k] = v.
func (s *State) set(l *lua.LState) int {
	s.assign(l, l.Get(1), l.Get(2), l.Get(3))
	return 0
}

// assign sets a field as the instruction of the machine does, with the metamethod __newindex.
// Beyond that it charges, and refuses read-only tables. Hashing a long string as a key is work too.
func (s *State) assign(l *lua.LState, object, key, value lua.LValue) {
	if k, ok := key.(lua.LString); ok {
		s.charge(l, int64(len(k))/64, 0)
	}
	for links := range maxChain {
		if links > 0 {
			s.surcharge(l, 1+keyWeight(key), 0)
		}
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

// store puts a value into the table itself, without metamethods. Each key that the table did not
// have costs memory for ever: a table never forgets a key. Setting a missing key to nil is free.
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

// storeItem assigns a positive integer key. Behind the end of the array a nil is dropped, since the
// machine would store it, and a value is charged for all the slots up to it.
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

// trim holds the invariant that the array of a table never ends in nil. So LTable.Len finds the
// length at the first try, and arrayLen is the length. Every slot that is removed was charged when
// it was made; removing costs an instruction. All that may set the last item to nil calls trim:
// storeItem, table, tableRemove and tableSort.
func (s *State) trim(l *lua.LState, table *lua.LTable) {
	n := arrayLen(table)
	for ; n > 0 && table.RawGetInt(n) == lua.LNil; n-- {
		table.Remove(n)
		s.charge(l, 1, 0)
	}
}

// global is g = v. check.go lets only the top level of a file contain it, so it runs while loading
// alone. A name of the host cannot be assigned: other files would see it changed.
func (s *State) global(l *lua.LState) int {
	name, value := l.CheckString(1), l.Get(2)
	if s.given[name] {
		l.RaiseError("cannot assign the global %q: it is part of the language here", name)
	}
	s.declared[name] = true
	s.store(l, s.l.G.Global, lua.LString(name), value)
	return 0
}
