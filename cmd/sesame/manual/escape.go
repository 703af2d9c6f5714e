package manual

import (
	"fmt"
	"strings"
	"unicode"
)

// escaped returns text that roff prints as it is. An apostrophe and a hyphen stay what they are in
// commands, too, so that they can be copied from a terminal.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch r {
		case '\\':
			b.WriteString(`\e`)
		case '-':
			b.WriteString(`\-`)
		case '\'':
			b.WriteString(`\(aq`)
		case '`':
			b.WriteString(`\(ga`)
		case '^':
			b.WriteString(`\(ha`)
		case '~':
			b.WriteString(`\(ti`)
		case '\t':
			b.WriteString("    ")
		default:
			writeRune(&b, r)
		}
	}
	return b.String()
}

// writeRune writes a character that is none of roff's. A page is ASCII, whatever the locale of its
// reader. A control character has no place in it.
func writeRune(b *strings.Builder, r rune) {
	switch {
	case r < ' ' || r == unicode.ReplacementChar || unicode.Is(unicode.C, r):
		b.WriteByte('?')
	case r > unicode.MaxASCII:
		fmt.Fprintf(b, `\[u%04X]`, r)
	default:
		b.WriteRune(r)
	}
}

// guarded returns a line that does not begin like a request.
func guarded(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// quoted returns text as one argument of a macro.
func quoted(text string) string { return quotedRaw(escaped(text)) }

// quotedRaw does so with what is escaped already.
func quotedRaw(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\(dq`) + `"` }
