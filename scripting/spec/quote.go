package spec

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote spells a text in Lua 5.1 (section 2.1), so that a terminal and an editor show it: what is
// not printable, or not UTF-8, is escaped byte by byte.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.WriteRune(r)
		default:
			for i := range size {
				fmt.Fprintf(&b, `\%03d`, text[i])
			}
		}
		text = text[size:]
	}
	b.WriteByte('"')
	return b.String()
}
