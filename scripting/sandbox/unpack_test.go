package sandbox

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUnpack(t *testing.T) {
	for _, tt := range []struct {
		format, data string
		position     int
		want         string
	}{
		{"", "", 1, "-> 1"},
		{"B", "\x01\x02", 1, "1 -> 2"},
		{"B", "\x01\x02", 2, "2 -> 3"},
		{"B", "\x01\x02", -1, "2 -> 3"},
		{"bB", "\xff\xff", 1, "-1 255 -> 3"},
		{"<h>h=h", "\x01\x02\x01\x02\x01\x02", 1, "513 258 513 -> 7"},
		{"I", "\x01\x00\x00\x00", 1, "1 -> 5"},
		{">I3 i3", "\x01\x02\x03\xff\xff\xfe", 1, "66051 -2 -> 7"},
		{">I8", "\x00\x20\x00\x00\x00\x00\x00\x00", 1, "9007199254740992 -> 9"},
		{">I8", "\x00\x20\x00\x00\x00\x00\x00\x01", 1, `"9007199254740993" -> 9`},
		{">J", "\xff\xff\xff\xff\xff\xff\xff\xff", 1, `"18446744073709551615" -> 9`},
		{">j", "\xff\xff\xff\xff\xff\xff\xff\xff", 1, `-1 -> 9`},
		{">j", "\x80\x00\x00\x00\x00\x00\x00\x00", 1, `"-9223372036854775808" -> 9`},
		{">I16", strings.Repeat("\x00", 15) + "\x07", 1, "7 -> 17"},
		{">i16", strings.Repeat("\xff", 15) + "\xf9", 1, "-7 -> 17"},
		{">I16", "\x01" + strings.Repeat("\x00", 15), 1, "the integer of 16 bytes at position 1 has more than 64 bits"},
		{">f", "\x3f\xc0\x00\x00", 1, "1.5 -> 5"},
		{">d", "\x3f\xf8\x00\x00\x00\x00\x00\x00", 1, "1.5 -> 9"},
		{"<n", "\x00\x00\x00\x00\x00\x00\xf8\x3f", 1, "1.5 -> 9"},
		{"z B", "abc\x00\x07", 1, `"abc" 7 -> 6`},
		{"c3 A2", "abcde", 1, `"abc" "de" -> 6`},
		{"c0", "", 1, `"" -> 1`},
		{"s1", "\x03abc", 1, `"abc" -> 5`},
		{"s1", "\x80" + strings.Repeat("x", 128), 1, `"` + strings.Repeat("x", 128) + `" -> 130`},
		{">s2", "\x00\x03abc", 1, `"abc" -> 6`},
		{"xB", "\x01\x02", 1, "2 -> 3"},
		{"<!4 B I4", "\x01\x00\x00\x00\x02\x00\x00\x00", 1, "1 2 -> 9"},
		{"<!2 B I4", "\x01\x00\x02\x00\x00\x00", 1, "1 2 -> 7"},
		{"<! B I4", "\x01\x00\x00\x00\x02\x00\x00\x00", 1, "1 2 -> 9"},
		{"!I4 A16", "\x01\x00\x00\x00" + "0123456789abcdef", 1, `1 "0123456789abcdef" -> 21`},
		{">!4 I4 B", "\x00\x00\x00\x01\x02", 1, "1 2 -> 6"},
		{"I4", "abc", 1, "the data ends within an integer: it needs 4 bytes at position 1, and 3 are left"},
		{"c4", "abc", 1, "the data ends within a string: it needs 4 bytes at position 1, and 3 are left"},
		{"f", "abc", 1, "the data ends within a float: it needs 4 bytes at position 1, and 3 are left"},
		{"x", "", 1, "the data ends within a byte of padding: it needs 1 bytes at position 1, and 0 are left"},
		{"!4 B I4", "\x01\x00", 1, "the data ends within the padding of a number: it needs 3 bytes at position 2, and 1 are left"},
		{"!8 I3", "abc", 1, "a size of 3 cannot be aligned: it is no power of two"},
		{"s1", "\x04abc", 1, "the string at position 1 says that it has 4 bytes: 3 are left"},
		{"s8", "\xff\xff\xff\xff\xff\xff\xff\xffabc", 1, "the string at position 1 says that it has 18446744073709551615 bytes: 3 are left"},
		{"z", "abc", 1, "the string at position 1 has no zero byte at its end"},
		{"c", "abc", 1, "'c' needs a length, as in c16"},
		{"A", "abc", 1, "'A' needs a length, as in A16"},
		{"c99999999999999999999", "abc", 1, "a length is too large"},
		{"i0", "abc", 1, "the size 0 of 'i' is outside 1 to 16"},
		{"I17", "abc", 1, "the size 17 of 'I' is outside 1 to 16"},
		{"!17", "abc", 1, "the size 17 of '!' is outside 1 to 16"},
		{"u8", "abc", 1, "there is no format option 'u'; the text comes first, and then the format: payload:unpack(\"<I4\")"},
		{"B", "abc", 5, "position 5 is outside the 3 bytes"},
		{"B", "abc", 0, "position 0 is outside the 3 bytes"},
		{"B", "abc", -4, "position 0 is outside the 3 bytes"},
		{"B", "abc", 4, "the data ends within an integer: it needs 1 bytes at position 4, and 0 are left"},
		{strings.Repeat("c0", 4001), "", 1, "more than 4000 values"},
	} {
		if got := unpacked(tt.data, tt.format, tt.position); got != tt.want {
			t.Errorf("%.40q of %q at %d: got %s, want %s", tt.format, tt.data, tt.position, got, tt.want)
		}
	}
}

// unpacked shows a result: values, and the next position; or the error.
func unpacked(data, format string, position int) string {
	values, next, err := unpackBytes(data, format, position)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, v := range values {
		if text, ok := toText(v); ok && v.Type().String() == "string" {
			fmt.Fprintf(&b, "%q ", text)
		} else {
			b.WriteString(text + " ")
		}
	}
	return fmt.Sprintf("%s-> %d", b.String(), next)
}

func TestUnpackReadsWhatGoWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u16, i32 := rapid.Uint16().Draw(rt, "u16"), rapid.Int32().Draw(rt, "i32")
		f64 := rapid.Float64().Draw(rt, "f64")
		var big, little []byte
		big = binary.BigEndian.AppendUint16(big, u16)
		big = binary.BigEndian.AppendUint32(big, uint32(i32))
		big = binary.BigEndian.AppendUint64(big, math.Float64bits(f64))
		little = binary.LittleEndian.AppendUint16(little, u16)
		little = binary.LittleEndian.AppendUint32(little, uint32(i32))
		little = binary.LittleEndian.AppendUint64(little, math.Float64bits(f64))
		want := fmt.Sprintf("%d %d %s -> 15", u16, i32, numberText(f64))
		for format, data := range map[string]string{">H i4 d": string(big), "<H i4 d": string(little)} {
			if got := unpacked(data, format, 1); got != want {
				rt.Fatalf("%s of %x: got %s, want %s", format, data, got, want)
			}
		}
	})
}

func TestUnpackIsAMethod(t *testing.T) {
	out, err := play(t, Config{}, `print(("\0\0\0\42rest"):unpack(">I4")) print(string.unpack("ab", "B", 2)) print(pcall(string.unpack, "a", "I4"))`)
	want := "42\t5\n98\t3\nfalse\tunpack: the data ends within an integer: it needs 4 bytes at position 1, and 1 are left\n"
	if out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}
