package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// strings returns the functions of string. A string that they make has at most MaxString bytes, and
// is charged by pushString. They read arguments that may be longer, when the host gave them.
func (s *State) strings() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"byte":    s.stringByte,
		"char":    s.stringChar,
		"find":    func(l *lua.LState) int { return s.search(l, true) },
		"format":  s.stringFormat,
		"gmatch":  s.stringGmatch,
		"gsub":    s.stringGsub,
		"len":     func(l *lua.LState) int { return num(l, float64(len(s.string(l, 1)))) },
		"lower":   func(l *lua.LState) int { return s.mapBytes(l, 'A', 'Z') },
		"match":   func(l *lua.LState) int { return s.search(l, false) },
		"rep":     s.stringRep,
		"reverse": s.stringReverse,
		"sub":     s.stringSub,
		"unpack":  s.stringUnpack,
		"upper":   func(l *lua.LState) int { return s.mapBytes(l, 'a', 'z') },
	}
}

func (s *State) stringByte(l *lua.LState) int {
	text, first := s.string(l, 1), s.optInt(l, 2, 1)
	last := s.optInt(l, 3, first)
	return s.returns(l, start(first, len(text)), end(last, len(text))-1, func(i int) lua.LValue { return lua.LNumber(text[i]) })
}

func (s *State) stringChar(l *lua.LState) int {
	text := make([]byte, l.GetTop())
	for i := range text {
		code := s.int(l, i+1)
		if code < 0 || code > 255 {
			l.ArgError(i+1, "expected 0 to 255")
		}
		text[i] = byte(code)
	}
	return s.pushString(l, string(text))
}

// mapBytes changes the case of the ASCII letters in a range. Other bytes stay, whatever the locale.
func (s *State) mapBytes(l *lua.LState, from, to byte) int {
	text := []byte(s.string(l, 1))
	for i, b := range text {
		if b >= from && b <= to {
			text[i] = b ^ 0x20
		}
	}
	return s.pushString(l, string(text))
}

// stringRep refuses the length before it makes the string: ("x"):rep(1e9) must allocate nothing.
func (s *State) stringRep(l *lua.LState) int {
	text, n := s.string(l, 1), max(s.int(l, 2), 0)
	if len(text) > 0 && n > MaxString/len(text) {
		s.fits(l, MaxString+1)
	}
	if text == "" {
		n = 0
	}
	return s.pushString(l, strings.Repeat(text, n))
}

func (s *State) stringReverse(l *lua.LState) int {
	text := s.string(l, 1)
	reversed := make([]byte, len(text))
	for i := range len(text) {
		reversed[len(text)-1-i] = text[i]
	}
	return s.pushString(l, string(reversed))
}

// stringSub returns a part of a string. The part shares the memory of the whole, so it costs
// nothing but its header.
func (s *State) stringSub(l *lua.LState) int {
	text := s.string(l, 1)
	from, to := start(s.int(l, 2), len(text)), end(s.optInt(l, 3, -1), len(text))
	s.charge(l, 0, 16)
	l.Push(lua.LString(text[min(from, len(text)):max(to, min(from, len(text)))]))
	return 1
}
