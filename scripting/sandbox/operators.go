package sandbox

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// This file is what scripts get instead of gopher-lua's concatenation (OP_CONCAT, stringConcat) and
// comparison (OP_LT, OP_LE), and the arithmetic of strings. In one instruction each of them could
// make or read a string of any length.

// MaxString is the length of the longest string that scripts can make, in bytes. A string from the
// host, such as a payload, may be longer. The limit is fixed because the work of many library
// functions grows with the length of a string, and the budget would notice only afterwards.
const MaxString = 64 << 10

// fits raises an error when a string of n bytes would be too long.
func (s *State) fits(l *lua.LState, n int) {
	if n > MaxString {
		l.RaiseError("the string would have more than %d KiB", MaxString>>10)
	}
}

// pushString pushes a new string as a result, and charges for it. The caller has made the string,
// so it must have bounded the length before; most build it step by step with fits.
func (s *State) pushString(l *lua.LState, text string) int {
	s.fits(l, len(text))
	s.charge(l, int64(len(text))/64, int64(len(text))+16)
	l.Push(lua.LString(text))
	return 1
}

// concat is a .. b .. c, evaluated from the right, with metamethods where two operands are not both
// text. Two strings, the most frequent case, are joined without a list.
func (s *State) concat(l *lua.LState) int {
	if l.GetTop() == 2 {
		a, isA := l.Get(1).(lua.LString)
		b, isB := l.Get(2).(lua.LString)
		if isA && isB {
			s.fits(l, len(a)+len(b))
			return s.pushString(l, string(a+b))
		}
	}
	operands := values(l, 1)
	result := operands[len(operands)-1]
	for rest := operands[:len(operands)-1]; len(rest) > 0; {
		if joined, n := s.join(l, rest, result); n > 0 {
			result, rest = joined, rest[:len(rest)-n]
			continue
		}
		result, rest = s.concatMeta(l, rest[len(rest)-1], result), rest[:len(rest)-1]
	}
	l.Push(result)
	return 1
}

// join concatenates the last operand with as many operands before it as are text, and returns how
// many those are. It adds up the length and charges before it makes the string.
func (s *State) join(l *lua.LState, rest []lua.LValue, last lua.LValue) (lua.LValue, int) {
	text, ok := toText(last)
	if !ok {
		return nil, 0
	}
	parts, size := []string{text}, len(text)
	for i := len(rest) - 1; i >= 0; i-- {
		if text, ok = toText(rest[i]); !ok {
			break
		}
		parts = append(parts, text)
		size += len(text)
		s.fits(l, size)
	}
	s.charge(l, int64(size)/64+int64(len(parts))/2, int64(size)+32*int64(len(parts)))
	var b strings.Builder
	b.Grow(size)
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return lua.LString(b.String()), len(parts) - 1
}

// concatMeta calls the metamethod __concat of a or else of b.
func (s *State) concatMeta(l *lua.LState, a, b lua.LValue) lua.LValue {
	for _, v := range []lua.LValue{a, b} {
		if fn, ok := l.GetMetaField(v, "__concat").(*lua.LFunction); ok {
			return call2(l, fn, a, b)
		}
	}
	bad := b
	if _, ok := toText(a); !ok {
		bad = a
	}
	l.RaiseError("cannot concatenate a %s value", bad.Type())
	return nil
}

// call2 calls a function with two arguments and returns its first result.
func call2(l *lua.LState, fn *lua.LFunction, a, b lua.LValue) lua.LValue {
	l.Push(fn)
	l.Push(a)
	l.Push(b)
	l.Call(2, 1)
	result := l.Get(-1)
	l.Pop(1)
	return result
}

// compare is a < b, a > b, a <= b or a >= b, by the operator in its first argument. It charges for
// comparing long strings.
func (s *State) compare(l *lua.LState) int {
	a, b := l.Get(2), l.Get(3)
	var result bool
	switch l.CheckString(1) {
	case "<":
		result = s.less(l, a, b)
	case ">":
		result = s.less(l, b, a)
	case "<=":
		result = s.lessEqual(l, a, b)
	case ">=":
		result = s.lessEqual(l, b, a)
	}
	l.Push(lua.LBool(result))
	return 1
}

func (s *State) less(l *lua.LState, a, b lua.LValue) bool {
	if x, y, ok := numbers(a, b); ok {
		return x < y
	}
	if x, y, ok := s.texts(l, a, b); ok {
		return x < y
	}
	result, ok := relate(l, "__lt", a, b)
	if !ok {
		incomparable(l, a, b)
	}
	return result
}

// lessEqual is a <= b. Without __le it is not (b < a), as in Lua 5.1 (reference manual, section
// 2.8).
func (s *State) lessEqual(l *lua.LState, a, b lua.LValue) bool {
	if x, y, ok := numbers(a, b); ok {
		return x <= y
	}
	if x, y, ok := s.texts(l, a, b); ok {
		return x <= y
	}
	if result, ok := relate(l, "__le", a, b); ok {
		return result
	}
	result, ok := relate(l, "__lt", b, a)
	if !ok {
		incomparable(l, a, b)
	}
	return !result
}

func numbers(a, b lua.LValue) (x, y lua.LNumber, ok bool) {
	x, isX := a.(lua.LNumber)
	y, isY := b.(lua.LNumber)
	return x, y, isX && isY
}

// texts returns two strings to compare, and charges for the shorter one: the comparison reads at
// most that many bytes.
func (s *State) texts(l *lua.LState, a, b lua.LValue) (x, y lua.LString, ok bool) {
	x, isX := a.(lua.LString)
	y, isY := b.(lua.LString)
	if isX && isY {
		s.charge(l, int64(min(len(x), len(y)))/64, 0)
	}
	return x, y, isX && isY
}

// relate calls a metamethod for a comparison. Both values must have the same type and the same
// metamethod, as in Lua 5.1.
func relate(l *lua.LState, event string, a, b lua.LValue) (result, ok bool) {
	fn, isFunction := l.GetMetaField(a, event).(*lua.LFunction)
	if !isFunction || a.Type() != b.Type() || l.GetMetaField(b, event) != fn {
		return false, false
	}
	return lua.LVAsBool(call2(l, fn, a, b)), true
}

func incomparable(l *lua.LState, a, b lua.LValue) {
	if a.Type() == b.Type() {
		l.RaiseError("cannot compare two %s values", a.Type())
	}
	l.RaiseError("cannot compare %s with %s", a.Type(), b.Type())
}

// stringMetatable gives strings their methods and their arithmetic. Without these metamethods the
// machine would convert the strings itself (objectArith), with gopher-lua's parseNumber: that takes
// a string of any length, and Go's forms of numbers.
func (s *State) stringMetatable(library *lua.LTable) *lua.LTable {
	mt := s.l.CreateTable(0, 8)
	mt.RawSetString("__index", library)
	for event, compute := range map[string]func(a, b float64) float64{
		"__add": func(a, b float64) float64 { return a + b },
		"__sub": func(a, b float64) float64 { return a - b },
		"__mul": func(a, b float64) float64 { return a * b },
		"__div": func(a, b float64) float64 { return a / b },
		"__mod": modulo,
		"__pow": math.Pow,
		"__unm": func(a, _ float64) float64 { return -a },
	} {
		mt.RawSetString(event, s.l.NewFunction(s.arithmetic(event, compute)))
	}
	return mt
}

// arithmetic returns a metamethod of strings. For __unm the second argument is the first again.
func (s *State) arithmetic(event string, compute func(a, b float64) float64) lua.LGFunction {
	return func(l *lua.LState) int {
		a, isA := s.numeric(l, l.Get(1))
		b, isB := s.numeric(l, l.Get(2))
		if !isA || !isB && event != "__unm" {
			bad := l.Get(1)
			if isA {
				bad = l.Get(2)
			}
			if text, ok := bad.(lua.LString); ok {
				l.RaiseError("cannot do arithmetic with the string %q: it is not a number", clip(string(text), 40))
			}
			l.RaiseError("cannot do arithmetic with a %s value", bad.Type())
		}
		l.Push(lua.LNumber(compute(a, b)))
		return 1
	}
}

// modulo is a - floor(a/b)*b, as Lua defines it, but exact: the formula loses digits for a large
// a/b.
func modulo(a, b float64) float64 {
	m := math.Mod(a, b)
	if m*b < 0 {
		m += b
	}
	return m
}
