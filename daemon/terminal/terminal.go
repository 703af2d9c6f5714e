// Package terminal turns text that strangers may have written into text that does
// nothing to the terminal that shows it.
package terminal

import (
	"strings"
	"unicode"
)

// Printable replaces control characters and other runes that are not printable by
// U+FFFD. Newlines and tabs stay.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
