package sandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// A conversion is one conversion specification of a format, such as "%5.2f".
type conversion struct {
	flags            string
	width, precision string // digits; a precision may be empty and given
	precise          bool
	verb             byte
}

// stringFormat is string.format (reference manual 5.1, section 5.4): C's conversions without %p,
// and %q. gopher-lua's own passes any width to Go's fmt, which would make a string of that length.
// Here width and precision have at most two digits, as in Lua 5.1, and the length is checked after
// each part.
func (s *State) stringFormat(l *lua.LState) int {
	format := s.string(l, 1)
	var b strings.Builder
	for n := 1; ; {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		s.fits(l, b.Len())
		if !found {
			return s.pushString(l, b.String())
		}
		if strings.HasPrefix(rest, "%") {
			b.WriteByte('%')
			format = rest[1:]
			continue
		}
		n++
		c, rest := s.conversion(l, rest)
		format = rest
		b.WriteString(s.convert(l, n, c))
		s.charge(l, 2, 0)
	}
}

// conversion reads a conversion after its percent sign.
func (s *State) conversion(l *lua.LState, text string) (c conversion, rest string) {
	rest = strings.TrimLeft(text, "-+ #0")
	c.flags = text[:len(text)-len(rest)]
	c.width, rest = digits(rest)
	if strings.HasPrefix(rest, ".") {
		c.precise = true
		c.precision, rest = digits(rest[1:])
	}
	if rest == "" {
		l.RaiseError("string.format: the format ends within '%%%s'", clip(text, 20))
	}
	if len(c.flags) > 5 || len(c.width) > 2 || len(c.precision) > 2 {
		l.RaiseError("string.format: flags, width or precision are too long in '%%%s'", clip(text, 20))
	}
	c.verb = rest[0]
	return c, rest[1:]
}

// digits splits a text behind the digits at its head.
func digits(text string) (number, rest string) {
	rest = strings.TrimLeft(text, "0123456789")
	return text[:len(text)-len(rest)], rest
}

// spec returns the conversion as Go writes it, with another letter.
func (c conversion) spec(verb byte) string {
	spec := "%" + c.flags + c.width
	if c.precise {
		spec += "." + c.precision
	}
	return spec + string(verb)
}

// convert returns argument n as its conversion wants it.
func (s *State) convert(l *lua.LState, n int, c conversion) string {
	if n > l.GetTop() {
		l.ArgError(n, "no value for '"+c.spec(c.verb)+"'")
	}
	switch c.verb {
	case 'd', 'i':
		return fmt.Sprintf(c.spec('d'), s.integer(l, n))
	case 'u':
		return fmt.Sprintf(c.spec('d'), uint64(s.integer(l, n)))
	case 'o', 'x', 'X':
		return fmt.Sprintf(c.spec(c.verb), uint64(s.integer(l, n)))
	case 'e', 'E', 'f', 'g', 'G':
		s.charge(l, 16, 0) // up to four hundred digits
		return c.real(s.number(l, n))
	case 'c':
		return c.pad(string([]byte{byte(s.integer(l, n))}))
	case 's':
		text := s.text(l, l.Get(n))
		if limit, _ := strconv.Atoi(c.precision); c.precise && limit < len(text) {
			text = text[:limit]
		}
		return c.pad(text)
	case 'q':
		return quote(s.string(l, n))
	}
	l.RaiseError("string.format: there is no conversion '%s'", c.spec(c.verb))
	return ""
}

// pad fills up to the width with spaces; a string has bytes, where Go counts characters.
func (c conversion) pad(text string) string {
	width, _ := strconv.Atoi(c.width)
	space := strings.Repeat(" ", max(width-len(text), 0))
	if strings.Contains(c.flags, "-") {
		return text + space
	}
	return space + text
}

// integer reads argument n as an integer of 64 bits, rounded towards zero as %d does.
func (s *State) integer(l *lua.LState, n int) int64 {
	f := math.Trunc(s.number(l, n))
	if !(math.Abs(f) < 1<<63) {
		l.ArgError(n, "the number "+numberText(f)+" is no integer of 64 bits")
	}
	return int64(f)
}

// real formats a number as C does. Go differs in the default precision of %g, and in the names of
// infinity and not-a-number.
func (c conversion) real(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return c.pad(numberText(f))
	}
	if !c.precise && c.verb|0x20 == 'g' {
		c.precise, c.precision = true, "6"
	}
	return fmt.Sprintf(c.spec(c.verb), f)
}

// quote writes a string so that Lua reads the same string back. It may be four times as long.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
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
