package sandbox

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringGsub replaces matches by a text, by what a table holds under the first capture, or by what
// a function returns for the captures. It checks the length of the result after each match, so it
// stops at MaxString and one replacement.
func (s *State) stringGsub(l *lua.LState) int {
	m := s.matcher(l, true)
	replace := s.replacer(l, m)
	limit := s.optInt(l, 4, math.MaxInt32)
	var b strings.Builder
	at, count := 0, 0
	for at <= len(m.subject) && count < limit {
		to := m.match(at, 0)
		if to >= 0 {
			count++
			b.WriteString(replace(at, to))
			s.fits(l, b.Len())
		}
		if to > at {
			at = to
		} else {
			b.WriteString(m.subject[at:min(at+1, len(m.subject))])
			at++
		}
		if m.anchored {
			break
		}
	}
	b.WriteString(m.subject[min(at, len(m.subject)):])
	return s.pushString(l, b.String()) + num(l, float64(count))
}

// replacer returns the function that gives the replacement of a match.
func (s *State) replacer(l *lua.LState, m *matcher) func(from, to int) string {
	switch by := l.Get(3).(type) {
	case *lua.LTable:
		return func(from, to int) string {
			s.charge(l, 2, 32)
			return s.replacement(l, l.GetTable(by, m.value(0, from, to)), m.subject[from:to])
		}
	case *lua.LFunction:
		return func(from, to int) string {
			top := l.GetTop()
			l.Push(by)
			l.Call(s.captures(l, m, from, to), 1)
			value := l.Get(-1)
			l.SetTop(top)
			return s.replacement(l, value, m.subject[from:to])
		}
	}
	template := s.string(l, 3)
	s.checkTemplate(l, template, m.pattern.captures)
	return func(from, to int) string { return s.expand(l, m, template, from, to) }
}

// replacement turns a value into the text that it stands for: nil and false keep the match.
func (s *State) replacement(l *lua.LState, value lua.LValue, match string) string {
	if !lua.LVAsBool(value) {
		return match
	}
	text, ok := toText(value)
	if !ok {
		l.RaiseError("gsub cannot replace with a %s value", value.Type())
	}
	return text
}

// checkTemplate raises an error when a percent sign in a replacement is not followed by a capture
// that exists or by another percent sign. expand relies on it.
func (s *State) checkTemplate(l *lua.LState, template string, captures int) {
	for i := 0; i < len(template); i++ {
		if template[i] != '%' {
			continue
		}
		i++
		switch {
		case i == len(template) || template[i] != '%' && !isDigit(template[i]):
			l.RaiseError("%s", "invalid use of '%' in the replacement: write '%%' for a percent sign")
		case template[i] > '1' && int(template[i]-'0') > captures:
			l.RaiseError("the replacement names capture %%%c: the pattern has %d", template[i], captures)
		}
	}
}

// expand returns the template with the captures of a match filled in.
func (s *State) expand(l *lua.LState, m *matcher, template string, from, to int) string {
	s.charge(l, int64(len(template))/8, 0)
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] != '%' {
			b.WriteByte(template[i])
			continue
		}
		i++
		switch {
		case template[i] == '%':
			b.WriteByte('%')
		case template[i] == '0':
			b.WriteString(m.subject[from:to])
		default:
			text, _ := toText(m.value(int(template[i]-'1'), from, to))
			b.WriteString(text)
		}
		s.fits(l, b.Len())
	}
	return b.String()
}
