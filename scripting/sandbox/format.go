package sandbox

import (
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringFormat is string.format: C's conversions, without those of pointers and with %q.
func (s *State) stringFormat(l *lua.LState) int {
	format := s.string(l, 1)
	var b strings.Builder
	for n := 1; ; {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		s.fits(l, b.Len())
		if !found {
			return s.give(l, b.String())
		}
		if strings.HasPrefix(rest, "%") {
			b.WriteByte('%')
			format = rest[1:]
			continue
		}
		n++
		flags, verb := s.conversion(l, rest)
		format = rest[len(flags)+1:]
		b.WriteString(s.convert(l, n, flags, verb))
		s.charge(l, 2, 0)
	}
}

// conversion takes flags, width and precision off the head of a text, and the letter after them.
func (s *State) conversion(l *lua.LState, text string) (flags string, verb byte) {
	rest := strings.TrimLeft(text, "-+ #0")
	flagged := len(text) - len(rest)
	width, rest := digits(rest)
	precision := 0
	if strings.HasPrefix(rest, ".") {
		precision, rest = digits(rest[1:])
	}
	if flagged > 5 || width > 2 || precision > 2 {
		l.RaiseError("string.format: flags, width or precision are too long in '%%%s'", clip(text, 20))
	}
	if rest == "" {
		l.RaiseError("string.format: the format ends within '%%%s'", clip(text, 20))
	}
	return text[:len(text)-len(rest)], rest[0]
}

func digits(text string) (count int, rest string) {
	rest = strings.TrimLeft(text, "0123456789")
	return len(text) - len(rest), rest
}

func (s *State) convert(l *lua.LState, n int, flags string, verb byte) string {
	if n > l.GetTop() {
		l.ArgError(n, "no value for '%"+flags+string(verb)+"'")
	}
	switch verb {
	case 'd', 'i':
		return fmt.Sprintf("%"+flags+"d", s.integer(l, n))
	case 'c':
		return fmt.Sprintf("%"+strings.TrimLeft(flags, "0+ #")+"s", string([]byte{byte(s.integer(l, n))}))
	case 'u':
		return fmt.Sprintf("%"+flags+"d", uint64(s.integer(l, n)))
	case 'o', 'x', 'X':
		return fmt.Sprintf("%"+flags+string(verb), uint64(s.integer(l, n)))
	case 'e', 'E', 'f', 'g', 'G':
		return real(flags, verb, s.number(l, n))
	case 's':
		return fmt.Sprintf("%"+strings.TrimLeft(flags, "0+ #")+"s", s.text(l, l.Get(n)))
	case 'q':
		return quote(s.string(l, n))
	}
	l.RaiseError("string.format: there is no conversion '%%%s%c'", flags, verb)
	return ""
}

// integer reads a number as %d does: towards zero.
func (s *State) integer(l *lua.LState, n int) int64 {
	f := math.Trunc(s.number(l, n))
	if !(math.Abs(f) < 1<<63) {
		l.ArgError(n, "the number "+numberText(f)+" is no integer of 64 bits")
	}
	return int64(f)
}

// real formats as C does where Go differs: the default precision of %g, and the names of infinity and not-a-number.
func real(flags string, verb byte, f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		width, _, _ := strings.Cut(strings.TrimLeft(flags, "0+ #"), ".")
		return fmt.Sprintf("%"+width+"s", numberText(f))
	}
	if !strings.Contains(flags, ".") && verb|0x20 == 'g' {
		flags += ".6"
	}
	return fmt.Sprintf("%"+flags+string(verb), f)
}

// quote writes a string so that Lua reads it back.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString("\\n")
		case '\r':
			b.WriteString("\\r")
		case 0:
			b.WriteString("\\000")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
