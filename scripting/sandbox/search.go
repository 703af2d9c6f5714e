package sandbox

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// matcher reads the subject and the pattern of a call, and charges for compiling the pattern. Each
// step that the matcher counts costs an instruction: see match.go.
func (s *State) matcher(l *lua.LState, anchors bool) *matcher {
	subject, text := s.string(l, 1), s.string(l, 2)
	p, err := readPattern(text, anchors)
	if err != nil {
		l.RaiseError("%s", err.Error())
	}
	s.charge(l, int64(len(text)), int64(len(p.items))*64)
	return &matcher{pattern: p, subject: subject, step: func() { s.charge(l, 1, 0) }}
}

// search is string.find, which returns places, or string.match.
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

// plain is string.find with its fourth argument: the text is no pattern.
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

// value returns capture i of a match, from 0. Without captures the first is the whole match. A
// position capture is a number.
func (m *matcher) value(i, from, to int) lua.LValue {
	switch {
	case i >= m.pattern.captures:
		return lua.LString(m.subject[from:to])
	case m.to[i] < 0:
		return lua.LNumber(m.from[i] + 1)
	}
	return lua.LString(m.capture(i))
}

// stringGmatch returns an iterator. The iterator remembers its place, which is memory that outlives
// a call when the script stores it while loading. So it works only in the Run or Call that made it.
func (s *State) stringGmatch(l *lua.LState) int {
	m, at, made := s.matcher(l, false), 0, s.calls
	s.charge(l, 0, functionBytes+int64(len(m.from)+len(m.to))*8)
	l.Push(l.NewFunction(func(l *lua.LState) int {
		if s.calls != made {
			l.RaiseError("an iterator of gmatch cannot be kept for a later call: call gmatch again")
		}
		// The iterator may run on another stack than gmatch did, in a pcall. An error must be
		// raised on the stack that is running.
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
