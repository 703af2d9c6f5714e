package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

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

// start turns a position, which counts from the end when it is negative, into an offset of the text.
func start(position, length int) int {
	if position < 0 {
		position += length + 1
	}
	return max(position, 1) - 1
}

// end is start for the last position of a range; the offset is behind it.
func end(position, length int) int {
	if position < 0 {
		position += length + 1
	}
	return min(position, length)
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
	return s.give(l, string(text))
}

// mapBytes changes the case of the letters in a range; only those of ASCII, on every machine.
func (s *State) mapBytes(l *lua.LState, from, to byte) int {
	text := []byte(s.string(l, 1))
	for i, b := range text {
		if b >= from && b <= to {
			text[i] = b ^ 0x20
		}
	}
	return s.give(l, string(text))
}

func (s *State) stringRep(l *lua.LState) int {
	text, n := s.string(l, 1), max(s.int(l, 2), 0)
	if len(text) > 0 && n > MaxString/len(text) {
		s.fits(l, MaxString+1)
	}
	if text == "" {
		n = 0
	}
	return s.give(l, strings.Repeat(text, n))
}

func (s *State) stringReverse(l *lua.LState) int {
	text := s.string(l, 1)
	reversed := make([]byte, len(text))
	for i := range len(text) {
		reversed[len(text)-1-i] = text[i]
	}
	return s.give(l, string(reversed))
}

func (s *State) stringSub(l *lua.LState) int {
	text := s.string(l, 1)
	from, to := start(s.int(l, 2), len(text)), end(s.optInt(l, 3, -1), len(text))
	s.charge(l, 0, 16)
	l.Push(lua.LString(text[min(from, len(text)):max(to, min(from, len(text)))]))
	return 1
}

// matcher reads the pattern and the subject of a call.
func (s *State) matcher(l *lua.LState, anchors bool) *matcher {
	subject, text := s.string(l, 1), s.string(l, 2)
	p, err := readPattern(text, anchors)
	if err != nil {
		l.RaiseError("%s", err.Error())
	}
	s.charge(l, int64(len(text)), int64(len(p.items))*64)
	return &matcher{pattern: p, subject: subject, step: func() { s.charge(l, 1, 0) }}
}

// search is find and match.
func (s *State) search(l *lua.LState, places bool) int {
	subject := s.string(l, 1)
	at := min(start(s.optInt(l, 3, 1), len(subject)), len(subject))
	if places && lua.LVAsBool(l.Get(4)) {
		return s.plain(l, subject, at)
	}
	m := s.matcher(l, true)
	from, to, ok := m.find(at)
	if !ok {
		l.Push(lua.LNil)
		return 1
	}
	if !places {
		return s.captures(l, m, from, to)
	}
	l.Push(lua.LNumber(from + 1))
	l.Push(lua.LNumber(to))
	if m.pattern.captures == 0 {
		return 2
	}
	return 2 + s.captures(l, m, from, to)
}

func (s *State) plain(l *lua.LState, subject string, at int) int {
	text := s.string(l, 2)
	s.charge(l, int64(len(subject)-at)/16, 0)
	i := strings.Index(subject[at:], text)
	if i < 0 {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(at + i + 1))
	l.Push(lua.LNumber(at + i + len(text)))
	return 2
}

// captures pushes the captures of a match, or the whole match when the pattern has none.
func (s *State) captures(l *lua.LState, m *matcher, from, to int) int {
	n := max(m.pattern.captures, 1)
	s.charge(l, 0, 16*int64(n))
	for i := range n {
		l.Push(m.value(i, from, to))
	}
	return n
}

// value returns capture i of a match, from 0, or the whole match as the first when there are none.
func (m *matcher) value(i, from, to int) lua.LValue {
	switch {
	case i >= m.pattern.captures:
		return lua.LString(m.subject[from:to])
	case m.to[i] < 0:
		return lua.LNumber(m.from[i] + 1)
	}
	return lua.LString(m.capture(i))
}

// stringGmatch returns an iterator. It keeps its place, and therefore is of use only in the call
// that made it.
func (s *State) stringGmatch(l *lua.LState) int {
	m, at, made := s.matcher(l, false), 0, s.calls
	s.charge(l, 0, functionBytes+int64(len(m.from)+len(m.to))*8)
	l.Push(l.NewFunction(func(l *lua.LState) int {
		if s.calls != made {
			l.RaiseError("an iterator of gmatch cannot be kept for a later call: call gmatch again")
		}
		m.step = func() { s.charge(l, 1, 0) }
		from, to, ok := m.find(at)
		if !ok {
			at = len(m.subject) + 1
			return 0
		}
		at = to
		if from == to {
			at++
		}
		return s.captures(l, m, from, to)
	}))
	return 1
}
