package spelling

import (
	"strings"
	"unicode"
)

// The languages of the world have signs by right that a page may also put there by mistake: the
// joiners of Persian, Hindi and emoji, and the wide signs and blanks of Chinese and Japanese.
const (
	nonJoiner = 0x200c
	joiner    = 0x200d
	wideBlank = 0x3000
)

// inOtherText reports whether a character is a part of a text in such a language. A joiner follows
// one of its letters, a wide blank is beside one, and a sign is in a word that has one.
func inOtherText(word []letter, i int, c character) bool {
	switch {
	case c.r == nonJoiner || c.r == joiner:
		return is(word, i-1, isOther)
	case c.r == wideBlank:
		return is(word, i-1, isOther) || is(word, i+1, isOther) || wideSign(word, i-1) || wideSign(word, i+1)
	}
	return wideSign(word, i)
}

// wideSign reports whether a wide sign is in a word of such a language. Its wide letters and digits
// are no plain ones in a name or a command.
func wideSign(word []letter, i int) bool {
	if i < 0 || i >= len(word) || !word[i].wide {
		return false
	}
	c, known := lookUp(word[i].r)
	return known && c.kind == Wide && !isAlphanumeric(c.plain[0])
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// markWide marks the characters that have a letter of another language before them in their word.
func markWide(letters []letter) {
	since := maxAround
	for i := range letters {
		switch r := letters[i].r; {
		case isOther(r):
			since = 0
		case isBlank(r):
			since = maxAround
		default:
			since++
			letters[i].wide = letters[i].wide || since <= maxAround
		}
	}
}

func isBlank(r rune) bool {
	c, known := lookUp(r)
	return known && c.kind == Blank || strings.ContainsRune(asciiBlanks, r)
}

// firstOther is the first character behind the alphabets of Europe: Hebrew begins here.
const firstOther = 0x0590

// isOther reports whether a character is a letter, a mark or a picture of a language that has other
// letters than Latin, Greek and Cyrillic, or a sign of Chinese and Japanese.
func isOther(r rune) bool {
	if _, known := lookUp(r); known || r < firstOther || unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic) {
		return false
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.So, unicode.Sk) || wideBlank < r && r <= 0x303f
}

// quotedBytes returns which bytes of a line are between ASCII quotes, by the rules of a shell. A
// quote without an end is an apostrophe.
func quotedBytes(line string) []bool {
	quoted := make([]bool, len(line))
	for at := 0; at < len(line); at++ {
		switch quote := line[at]; quote {
		case '\\':
			at++
		case '"', '\'':
			// It takes linear time, since no other quote like one without an end is met behind it.
			end := closing(line, at+1, quote)
			if end < 0 {
				continue
			}
			for i := at + 1; i < end; i++ {
				quoted[i] = true
			}
			at = end
		}
	}
	return quoted
}

// closing returns where a quote ends, or -1. A backslash protects what follows between double ones.
func closing(line string, from int, quote byte) int {
	for at := from; at < len(line); at++ {
		switch {
		case line[at] == quote:
			return at
		case line[at] == '\\' && quote == '"':
			at++
		}
	}
	return -1
}
