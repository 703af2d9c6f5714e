package knockd

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainName returns the name with a ? for each byte that is no plain text.
func plainName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == utf8.RuneError && size == 1, unicode.IsControl(r):
			b.WriteByte('?')
		default:
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}

// maxShown bounds what a message repeats of a file, in bytes.
const maxShown = 60

// shown returns s for a message: in quotes, without a byte that could do something
// to a terminal, and not too long.
func shown(s string) string {
	if len(s) <= maxShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(cut(s, maxShown)) + "..."
}

// cut returns the first bytes of s, as many runes as fit.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// blanks are what knockd trims: isspace of C's own locale.
const blanks = " \t\n\v\f\r"

// upper returns s with the letters of ASCII in upper case, which are all that C
// knows in its own locale.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// plain returns s as a comment can have it: in one line, and with nothing that
// an editor or a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
