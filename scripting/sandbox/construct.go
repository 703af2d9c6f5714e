package sandbox

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// table charges for the result of a constructor. It comes after the allocation, which is bounded:
// a constructor has at most maxItems fields (check.go), a list of values at its end is at most
// maxValues long, and key has charged for computed keys.
func (s *State) table(l *lua.LState) int {
	t := l.CheckTable(1)
	n := arrayLen(t)
	keys, _ := keyCounts(t)
	s.charge(l, int64(n)/16, tableBytes+int64(n)*slotBytes+int64(keys)*keyBytes)
	if keys > 0 {
		s.surcharge(l, 0, fewKeysBytes)
	}
	s.trim(l, t)
	return 1
}

// key charges for a computed key of a constructor before the machine stores the field with
// LTable.RawSet. At that moment the constructor has had position fields, so its array has at most
// position items. What is between them and the key is a gap that the machine fills.
func (s *State) key(l *lua.LState) int {
	key, position := l.Get(1), float64(l.CheckNumber(2))
	switch k := key.(type) {
	case *lua.LNilType:
		l.RaiseError("a table cannot have nil as a key")
	case lua.LString:
		s.charge(l, int64(len(k))/64, 0)
	case lua.LNumber:
		gap := float64(k) - position
		if math.IsNaN(gap) {
			l.RaiseError("a table cannot have not-a-number as a key")
		}
		if gap > maxGap {
			l.RaiseError("integer key %s is too large for a table; use a string key, for example [\"%s\"]", numberText(float64(k)), numberText(float64(k)))
		}
		if gap > 0 {
			s.charge(l, int64(gap)/16, int64(gap)*slotBytes)
		}
	}
	l.Push(key)
	return 1
}

// function charges for a function that OP_CLOSURE has just made. Its size is bounded by maxUpvalues
// (compile.go).
func (s *State) function(l *lua.LState) int {
	fn := l.CheckFunction(1)
	s.charge(l, 0, functionBytes+int64(len(fn.Upvalues))*upvalueBytes)
	return 1
}

// args charges for values that are passed on as "...". OP_VARARG copies all of them in one
// instruction, and a recursive function could make the list longer at each level.
func (s *State) args(l *lua.LState) int {
	n := l.GetTop()
	if n > maxValues {
		l.RaiseError("%d values are too many to pass on: at most %d", n, maxValues)
	}
	s.charge(l, int64(n)/4, int64(n)*registerBytes)
	return n
}
