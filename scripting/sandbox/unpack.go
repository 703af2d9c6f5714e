package sandbox

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// unpackBytes reads values from the bytes of data, from a position that counts from 1, or from the
// end when it is negative, and returns the values and the position after them. The format is that
// of Lua 5.3 (reference manual 5.3, section 6.4.2):
//
//	< > =      little endian, big endian, little endian again (the same on every machine); until the next of them
//	![n]       align numbers to their size, at most to n bytes (8); without it nothing is aligned
//	b B        a signed, an unsigned byte
//	h H        the same of 2 bytes
//	i[n] I[n]  the same of n bytes (4), 1 to 16
//	l L j J T  the same of 8 bytes; T is unsigned
//	f d n      a float of 4 bytes, of 8, of 8
//	s[n]       a string after its length, which has n bytes (8)
//	z          a string that ends with a zero byte
//	c[n] A[n]  a string of n bytes
//	x          a byte that is passed over
//	space      nothing
//
// An integer that a Lua number does not hold exactly, beyond 2^53, comes as a string of decimal
// digits.
func unpackBytes(data, format string, position int) (values []lua.LValue, next int, err error) {
	if position < 0 {
		position += len(data) + 1
	}
	if position < 1 || position > len(data)+1 {
		return nil, 0, fmt.Errorf("position %d is outside the %d bytes", position, len(data))
	}
	u := &unpacker{data: data, at: position - 1, format: format, order: binary.LittleEndian, align: 1}
	for u.format != "" && u.err == nil {
		u.option()
		if len(u.values) > maxValues {
			u.fail("more than %d values", maxValues)
		}
	}
	return u.values, u.at + 1, u.err
}

func (s *State) stringUnpack(l *lua.LState) int {
	data, format := s.string(l, 1), s.string(l, 2)
	s.charge(l, int64(len(format)), 32*int64(len(format)))
	values, next, err := unpackBytes(data, format, s.optInt(l, 3, 1))
	if err != nil {
		l.RaiseError("unpack: %s", err.Error())
	}
	return pushAll(l, values) + num(l, float64(next))
}

// An unpacker reads data by a format. After the first error it does nothing more. What it allocates
// is bounded: strings share the memory of data, and there are at most maxValues values.
type unpacker struct {
	data   string
	at     int    // the offset of the next byte
	format string // what is left of it
	order  binary.ByteOrder
	align  int
	values []lua.LValue
	err    error
}

func (u *unpacker) fail(format string, args ...any) {
	if u.err == nil {
		u.err = fmt.Errorf(format, args...)
	}
}

// option reads one letter of the format, and reads what it stands for.
func (u *unpacker) option() {
	letter := u.format[0]
	u.format = u.format[1:]
	switch letter {
	case ' ':
	case '<', '=':
		u.order = binary.LittleEndian
	case '>':
		u.order = binary.BigEndian
	case '!':
		u.align = u.size(letter, 8)
	case 'b', 'B':
		u.integer(1, letter == 'b')
	case 'h', 'H':
		u.integer(2, letter == 'h')
	case 'i', 'I':
		u.integer(u.size(letter, 4), letter == 'i')
	case 'l', 'L', 'j', 'J', 'T':
		u.integer(8, letter == 'l' || letter == 'j')
	case 'f', 'd', 'n':
		u.float(letter)
	case 's':
		u.counted(u.size(letter, 8))
	case 'z':
		u.terminated()
	case 'c', 'A':
		n, ok := u.count()
		if !ok {
			u.fail("'%c' needs a length, as in %c16", letter, letter)
		}
		u.push(lua.LString(u.take(n, "a string")))
	case 'x':
		u.take(1, "a byte of padding")
	default:
		u.fail("there is no format option %q; the text comes first, and then the format: payload:unpack(\"<I4\")", letter)
	}
}

// count reads the number after a letter, and reports whether there is one. It fails above 2^31-1.
func (u *unpacker) count() (int, bool) {
	number, rest := digits(u.format)
	u.format = rest
	if number == "" {
		return 0, false
	}
	value, err := strconv.Atoi(number)
	if err != nil || value > math.MaxInt32 {
		u.fail("a length is too large")
		return 0, true
	}
	return value, true
}

// size reads the size after a letter, from 1 to 16.
func (u *unpacker) size(letter byte, otherwise int) int {
	n, ok := u.count()
	if !ok {
		return otherwise
	}
	if n < 1 || n > 16 {
		u.fail("the size %d of '%c' is outside 1 to 16", n, letter)
		return 1
	}
	return n
}

func (u *unpacker) push(v lua.LValue) {
	if u.err == nil {
		u.values = append(u.values, v)
	}
}

// take returns the next n bytes, or "" after an error. what names them in the message.
func (u *unpacker) take(n int, what string) string {
	if u.err == nil && n > len(u.data)-u.at {
		u.fail("the data ends within %s: it needs %d bytes at position %d, and %d are left", what, n, u.at+1, len(u.data)-u.at)
	}
	if u.err != nil {
		return ""
	}
	u.at += n
	return u.data[u.at-n : u.at]
}

// pad skips the bytes before a number of n bytes that is aligned.
func (u *unpacker) pad(n int) {
	n = min(n, u.align)
	if n > 1 && n&(n-1) != 0 {
		u.fail("a size of %d cannot be aligned: it is no power of two", n)
	} else if n > 1 {
		u.take((n-u.at%n)%n, "the padding of a number")
	}
}

// whole reads an integer of n bytes, 1 to 16. It returns the 64 low bits, and whether the others
// are only an extension of them.
func (u *unpacker) whole(n int, signed bool) (low uint64, fits bool) {
	u.pad(n)
	raw := []byte(u.take(n, "an integer"))
	if len(raw) == 0 {
		return 0, true
	}
	if u.order == binary.ByteOrder(binary.BigEndian) {
		slices.Reverse(raw)
	}
	fill := byte(0)
	if signed && raw[n-1] >= 0x80 {
		fill = 0xff
	}
	for len(raw) < 8 {
		raw = append(raw, fill)
	}
	low = binary.LittleEndian.Uint64(raw)
	for _, b := range raw[8:] {
		if b != fill {
			return low, false
		}
	}
	return low, n <= 8 || !signed || (low>>63 == 1) == (fill == 0xff)
}

// integer reads an integer of n bytes as a number, or beyond 2^53 as a string of digits.
func (u *unpacker) integer(n int, signed bool) {
	const exact = 1 << 53
	at := u.at
	low, fits := u.whole(n, signed)
	switch value := int64(low); {
	case !fits:
		u.fail("the integer of %d bytes at position %d has more than 64 bits", n, at+1)
	case signed && (value > exact || value < -exact):
		u.push(lua.LString(strconv.FormatInt(value, 10)))
	case signed:
		u.push(lua.LNumber(value))
	case low > exact:
		u.push(lua.LString(strconv.FormatUint(low, 10)))
	default:
		u.push(lua.LNumber(low))
	}
}

func (u *unpacker) float(letter byte) {
	if letter == 'f' {
		u.pad(4)
		if raw := u.take(4, "a float"); raw != "" {
			u.push(lua.LNumber(math.Float32frombits(u.order.Uint32([]byte(raw)))))
		}
		return
	}
	u.pad(8)
	if raw := u.take(8, "a float"); raw != "" {
		u.push(lua.LNumber(math.Float64frombits(u.order.Uint64([]byte(raw)))))
	}
}

// counted reads a string after its length of n bytes. The length is compared with what is left
// before anything is read.
func (u *unpacker) counted(n int) {
	at := u.at
	length, fits := u.whole(n, false)
	if u.err == nil && (!fits || length > uint64(len(u.data)-u.at)) {
		u.fail("the string at position %d says that it has %d bytes: %d are left", at+1, length, len(u.data)-u.at)
		return
	}
	u.push(lua.LString(u.take(int(length), "a string")))
}

// terminated reads a string up to a zero byte, and the zero byte.
func (u *unpacker) terminated() {
	length := strings.IndexByte(u.data[u.at:], 0)
	if length < 0 {
		u.fail("the string at position %d has no zero byte at its end", u.at+1)
		return
	}
	u.push(lua.LString(u.take(length, "a string")))
	u.take(1, "a string")
}
