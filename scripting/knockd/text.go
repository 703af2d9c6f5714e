package knockd

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainName returns the name with a ? for each byte that is not UTF-8 and for each control
// character.
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

// maxShown is how much of the file a message repeats, in bytes.
const maxShown = 60

// shown returns s for a message: in quotes, with escapes for what would control a terminal, and at
// most maxShown bytes of it.
func shown(s string) string {
	if len(s) <= maxShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(cut(s, maxShown)) + "..."
}

// cut returns the first size bytes of s, or fewer so that no character is cut in two.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// blanks are what knockd's trim removes: isspace in the C locale.
const blanks = " \t\n\v\f\r"

// upper returns s with ASCII letters in upper case, as toupper does in the C locale.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// plain returns s for a comment of one line: it replaces unprintable characters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
