package sandbox

import lua "github.com/yuin/gopher-lua"

// values returns the arguments from a position on.
func values(l *lua.LState, from int) (list []lua.LValue) {
	for i := from; i <= l.GetTop(); i++ {
		list = append(list, l.Get(i))
	}
	return list
}

// pushAll pushes values and returns how many they are.
func pushAll(l *lua.LState, list []lua.LValue) int {
	for _, v := range list {
		l.Push(v)
	}
	return len(list)
}

// This file reads the arguments of library functions and returns their results. gopher-lua's own
// CheckInt and CheckString are not used: they convert strings and numbers by other rules than
// scripts see (numbers.go).

// returns pushes the values from one index to another, both included, and returns how many they
// are. It bounds and charges them before it reads the first.
func (s *State) returns(l *lua.LState, from, to int, value func(int) lua.LValue) int {
	if from > to {
		return 0
	}
	n := int64(to) - int64(from) + 1 // an int has 32 bits on some machines
	if n > maxValues {
		l.RaiseError("%d values are too many to return: at most %d", n, maxValues)
	}
	s.charge(l, n/4, n*registerBytes)
	for i := range int(n) {
		l.Push(value(from + i))
	}
	return int(n)
}

// int reads argument n as an integer: truncated, and held within 32 bits.
func (s *State) int(l *lua.LState, n int) int {
	f, ok := s.numeric(l, l.Get(n))
	if !ok {
		l.TypeError(n, lua.LTNumber)
	}
	return toInt(f)
}

// optInt is int for an argument that may be absent or nil.
func (s *State) optInt(l *lua.LState, n, otherwise int) int {
	if l.Get(n) == lua.LNil {
		return otherwise
	}
	return s.int(l, n)
}

// string reads argument n as a string, which a number also is.
func (s *State) string(l *lua.LState, n int) string {
	text, ok := toText(l.Get(n))
	if !ok {
		l.TypeError(n, lua.LTString)
	}
	return text
}

// num returns one number as the result.
func num(l *lua.LState, f float64) int {
	l.Push(lua.LNumber(f))
	return 1
}

// number reads argument n as a number, which may be a string that is one.
func (s *State) number(l *lua.LState, n int) float64 {
	f, ok := s.numeric(l, l.Get(n))
	if !ok {
		l.TypeError(n, lua.LTNumber)
	}
	return f
}

// start turns the first position of a range into an offset of the text, 0 or more. A negative
// position counts from the end.
func start(position, length int) int {
	if position < 0 {
		position += length + 1
	}
	return max(position, 1) - 1
}

// end turns the last position of a range into the offset behind it.
func end(position, length int) int {
	if position < 0 {
		position += length + 1
	}
	return min(position, length)
}
