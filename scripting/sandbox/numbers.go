package sandbox

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// This file converts between numbers and text. gopher-lua's own conversions are not used:
// parseNumber (utils.go) takes Go's forms, and LNumber.String rounds.

// maxDigits is the length of the longest text that is read as a number, in bytes. A longer one is
// not a number.
const maxDigits = 256

// parseNumber reads a number as Lua 5.1 writes one (reference manual, section 2.1): decimal, with
// fraction and exponent, or hexadecimal. Blanks and a sign may precede it. gopher-lua's own
// function takes "1_000" and "0b1" too, and reads "010" as eight.
func parseNumber(text string) (float64, bool) {
	if len(text) > maxDigits {
		return 0, false
	}
	text = strings.Trim(text, " \t\n\r\f\v")
	digits := strings.TrimLeft(text, "+-")
	sign := text[:len(text)-len(digits)]
	if len(sign) > 1 {
		return 0, false
	}
	value, ok := 0.0, false
	if hex, isHex := cutHex(digits); isHex {
		value, ok = parseHex(hex)
	} else if isDecimal(digits) {
		value, _ = strconv.ParseFloat(digits, 64) // out of range is infinite, as in C
		ok = true
	}
	if sign == "-" {
		value = -value
	}
	return value, ok
}

// cutHex cuts the 0x off a hexadecimal number, and reports whether it is one.
func cutHex(text string) (string, bool) {
	if len(text) > 2 && text[0] == '0' && text[1]|0x20 == 'x' {
		return text[2:], true
	}
	return "", false
}

func parseHex(digits string) (value float64, ok bool) {
	for _, c := range []byte(digits) {
		d, err := strconv.ParseUint(string(c), 16, 8)
		if err != nil {
			return 0, false
		}
		value = value*16 + float64(d)
	}
	return value, true
}

// isDecimal reports whether text is digits, perhaps with a point and an exponent.
func isDecimal(text string) bool {
	mantissa, exponent, has := strings.Cut(strings.ToLower(text), "e")
	if has {
		exponent = strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")
		if exponent == "" || strings.Trim(exponent, "0123456789") != "" {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return whole+fraction != "" && strings.Trim(whole+fraction, "0123456789") == ""
}

// numberText writes a number, the same on every machine: an integer that fits into an int64 without
// a point, others with as many digits as it takes to read the same number back. As in Lua, numbers
// such as 1772445600.6 have no exponent.
func numberText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return strconv.FormatInt(int64(f), 10)
	case 1e-4 <= math.Abs(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// toNumber converts as arithmetic does: a number, or a string that is one. It charges nothing.
func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// numeric is toNumber for an argument of a script. It charges for reading digits.
func (s *State) numeric(l *lua.LState, v lua.LValue) (float64, bool) {
	if text, ok := v.(lua.LString); ok {
		s.charge(l, int64(min(len(text), maxDigits))/4, 0)
	}
	return toNumber(v)
}

// toText converts as concatenation does: a string, or a number.
func toText(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return numberText(float64(v)), true
	}
	return "", false
}

// Text returns nil, a boolean, a number or a string as tostring does. Other values have addresses
// in their text, so the caller must not pass them.
func Text(v lua.LValue) string {
	if text, ok := toText(v); ok {
		return text
	}
	return v.String()
}

// toInt truncates a number to an int, and holds it within the int32 range: enough for any position,
// count or width.
func toInt(f float64) int {
	switch {
	case math.IsNaN(f):
		return 0
	case f > math.MaxInt32:
		return math.MaxInt32
	case f < math.MinInt32:
		return math.MinInt32
	}
	return int(f)
}

// text is tostring. It shows no address: gopher-lua's own would, and an address differs from run to
// run and helps an attacker of the process.
func (s *State) text(l *lua.LState, v lua.LValue) string {
	if text, ok := toText(v); ok {
		return text
	}
	if fn, ok := l.GetMetaField(v, "__tostring").(*lua.LFunction); ok {
		l.Push(fn)
		l.Push(v)
		l.Call(1, 1)
		text, ok := toText(l.Get(-1))
		l.Pop(1)
		if !ok {
			l.RaiseError("__tostring must return a string")
		}
		return text
	}
	switch v.Type() {
	case lua.LTNil, lua.LTBool:
		return v.String()
	}
	return v.Type().String()
}
