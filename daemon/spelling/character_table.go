package spelling

import "unicode"

// A Kind is a set of kinds of characters.
type Kind uint16

// The kinds of characters that are in a text by mistake: a web page or a word processor put them in
// the place of a plain one.
const (
	Dash       Kind = 1 << iota // glued to a word: "–dport", "8000–9000"
	LoneDash                    // a dash between blanks, as in prose
	Quote                       // “ ” „ « » ″
	Apostrophe                  // ’ between two letters, as in prose
	Blank                       // a blank that programs take for a part of a word
	Invisible                   // it has no width
	Bidi                        // it changes the order in which a line is shown
	LookAlike                   // a letter of another alphabet in a word of Latin letters
	Wide                        // a form of a plain character that is twice as wide
	Dots                        // … for three dots
	Sign                        // another sign that looks like a plain one
	Prose                       // a quote or … between ASCII quotes: a text for people

	// InCode is what no language has outside of its strings and comments.
	InCode = Dash | LoneDash | Quote | Apostrophe | Blank | Invisible | Bidi | LookAlike | Wide | Dots | Sign | Prose
	// InCommand is what a command of a shell hardly means. Its texts for people may have prose.
	InCommand = InCode &^ (LoneDash | Apostrophe | Prose)
	// InName is what nobody can type who reads a name.
	InName = Dash | Blank | Invisible | Bidi | LookAlike | Wide
)

// A character is one that looks like a plain one, or like nothing.
type character struct {
	r     rune
	kind  Kind
	plain string // what is meant; "": nothing
	name  string // as the Unicode standard has it
}

// characters has the characters by their number, but for those that are computed (see lookUp). The
// names are those of the Unicode Character Database, and which letters look alike is in its file
// confusables.txt (UTS #39). It has what pages and editors make by themselves, and the letters that
// somebody may use to deceive. The dotless i of Turkish is none of them: each Turkish text has it.
var characters = []character{
	{0x0085, Blank, " ", "NEXT LINE"}, {0x00a0, Blank, " ", "NO-BREAK SPACE"},
	{0x00ab, Quote, `"`, "LEFT-POINTING DOUBLE ANGLE QUOTATION MARK"}, {0x00ad, Invisible, "", "SOFT HYPHEN"},
	{0x00b4, Quote, "'", "ACUTE ACCENT"}, {0x00bb, Quote, `"`, "RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK"},
	{0x017f, LookAlike, "s", "LATIN SMALL LETTER LONG S"}, {0x0261, LookAlike, "g", "LATIN SMALL LETTER SCRIPT G"}, {0x02b9, Quote, "'", "MODIFIER LETTER PRIME"}, {0x02ba, Quote, `"`, "MODIFIER LETTER DOUBLE PRIME"},
	{0x02bc, Quote, "'", "MODIFIER LETTER APOSTROPHE"}, {0x037e, Sign, ";", "GREEK QUESTION MARK"},
	{0x0391, LookAlike, "A", "GREEK CAPITAL LETTER ALPHA"}, {0x0392, LookAlike, "B", "GREEK CAPITAL LETTER BETA"},
	{0x0395, LookAlike, "E", "GREEK CAPITAL LETTER EPSILON"}, {0x0396, LookAlike, "Z", "GREEK CAPITAL LETTER ZETA"},
	{0x0397, LookAlike, "H", "GREEK CAPITAL LETTER ETA"}, {0x0399, LookAlike, "I", "GREEK CAPITAL LETTER IOTA"},
	{0x039a, LookAlike, "K", "GREEK CAPITAL LETTER KAPPA"}, {0x039c, LookAlike, "M", "GREEK CAPITAL LETTER MU"},
	{0x039d, LookAlike, "N", "GREEK CAPITAL LETTER NU"}, {0x039f, LookAlike, "O", "GREEK CAPITAL LETTER OMICRON"},
	{0x03a1, LookAlike, "P", "GREEK CAPITAL LETTER RHO"}, {0x03a4, LookAlike, "T", "GREEK CAPITAL LETTER TAU"},
	{0x03a5, LookAlike, "Y", "GREEK CAPITAL LETTER UPSILON"}, {0x03a7, LookAlike, "X", "GREEK CAPITAL LETTER CHI"},
	{0x03b1, LookAlike, "a", "GREEK SMALL LETTER ALPHA"}, {0x03b9, LookAlike, "i", "GREEK SMALL LETTER IOTA"},
	{0x03bd, LookAlike, "v", "GREEK SMALL LETTER NU"}, {0x03bf, LookAlike, "o", "GREEK SMALL LETTER OMICRON"},
	{0x03c1, LookAlike, "p", "GREEK SMALL LETTER RHO"},
	{0x0405, LookAlike, "S", "CYRILLIC CAPITAL LETTER DZE"}, {0x0406, LookAlike, "I", "CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I"},
	{0x0408, LookAlike, "J", "CYRILLIC CAPITAL LETTER JE"}, {0x0410, LookAlike, "A", "CYRILLIC CAPITAL LETTER A"},
	{0x0412, LookAlike, "B", "CYRILLIC CAPITAL LETTER VE"}, {0x0415, LookAlike, "E", "CYRILLIC CAPITAL LETTER IE"},
	{0x041a, LookAlike, "K", "CYRILLIC CAPITAL LETTER KA"}, {0x041c, LookAlike, "M", "CYRILLIC CAPITAL LETTER EM"},
	{0x041d, LookAlike, "H", "CYRILLIC CAPITAL LETTER EN"}, {0x041e, LookAlike, "O", "CYRILLIC CAPITAL LETTER O"},
	{0x0420, LookAlike, "P", "CYRILLIC CAPITAL LETTER ER"}, {0x0421, LookAlike, "C", "CYRILLIC CAPITAL LETTER ES"},
	{0x0422, LookAlike, "T", "CYRILLIC CAPITAL LETTER TE"}, {0x0423, LookAlike, "Y", "CYRILLIC CAPITAL LETTER U"},
	{0x0425, LookAlike, "X", "CYRILLIC CAPITAL LETTER HA"}, {0x0430, LookAlike, "a", "CYRILLIC SMALL LETTER A"},
	{0x0435, LookAlike, "e", "CYRILLIC SMALL LETTER IE"}, {0x043e, LookAlike, "o", "CYRILLIC SMALL LETTER O"},
	{0x0440, LookAlike, "p", "CYRILLIC SMALL LETTER ER"}, {0x0441, LookAlike, "c", "CYRILLIC SMALL LETTER ES"},
	{0x0443, LookAlike, "y", "CYRILLIC SMALL LETTER U"}, {0x0445, LookAlike, "x", "CYRILLIC SMALL LETTER HA"},
	{0x0455, LookAlike, "s", "CYRILLIC SMALL LETTER DZE"}, {0x0456, LookAlike, "i", "CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I"},
	{0x0458, LookAlike, "j", "CYRILLIC SMALL LETTER JE"}, {0x04bb, LookAlike, "h", "CYRILLIC SMALL LETTER SHHA"},
	{0x04cf, LookAlike, "l", "CYRILLIC SMALL LETTER PALOCHKA"}, {0x0501, LookAlike, "d", "CYRILLIC SMALL LETTER KOMI DE"},
	{0x051b, LookAlike, "q", "CYRILLIC SMALL LETTER QA"}, {0x051d, LookAlike, "w", "CYRILLIC SMALL LETTER WE"},
	{0x061c, Bidi, "", "ARABIC LETTER MARK"}, {0x115f, Blank, "", "HANGUL CHOSEONG FILLER"},
	{0x1680, Blank, " ", "OGHAM SPACE MARK"}, {0x180e, Invisible, "", "MONGOLIAN VOWEL SEPARATOR"},
	{0x2000, Blank, " ", "EN QUAD"}, {0x2001, Blank, " ", "EM QUAD"}, {0x2002, Blank, " ", "EN SPACE"}, {0x2003, Blank, " ", "EM SPACE"},
	{0x2004, Blank, " ", "THREE-PER-EM SPACE"}, {0x2005, Blank, " ", "FOUR-PER-EM SPACE"}, {0x2006, Blank, " ", "SIX-PER-EM SPACE"},
	{0x2007, Blank, " ", "FIGURE SPACE"}, {0x2008, Blank, " ", "PUNCTUATION SPACE"}, {0x2009, Blank, " ", "THIN SPACE"},
	{0x200a, Blank, " ", "HAIR SPACE"}, {0x200b, Invisible, "", "ZERO WIDTH SPACE"}, {0x200c, Invisible, "", "ZERO WIDTH NON-JOINER"},
	{0x200d, Invisible, "", "ZERO WIDTH JOINER"}, {0x200e, Bidi, "", "LEFT-TO-RIGHT MARK"}, {0x200f, Bidi, "", "RIGHT-TO-LEFT MARK"},
	{0x2010, Dash, "-", "HYPHEN"}, {0x2011, Dash, "-", "NON-BREAKING HYPHEN"}, {0x2012, Dash, "-", "FIGURE DASH"},
	{0x2013, Dash, "-", "EN DASH"}, {0x2014, Dash, "-", "EM DASH"}, {0x2015, Dash, "-", "HORIZONTAL BAR"},
	{0x2018, Quote, "'", "LEFT SINGLE QUOTATION MARK"}, {0x2019, Quote, "'", "RIGHT SINGLE QUOTATION MARK"},
	{0x201a, Quote, "'", "SINGLE LOW-9 QUOTATION MARK"}, {0x201b, Quote, "'", "SINGLE HIGH-REVERSED-9 QUOTATION MARK"},
	{0x201c, Quote, `"`, "LEFT DOUBLE QUOTATION MARK"}, {0x201d, Quote, `"`, "RIGHT DOUBLE QUOTATION MARK"},
	{0x201e, Quote, `"`, "DOUBLE LOW-9 QUOTATION MARK"}, {0x201f, Quote, `"`, "DOUBLE HIGH-REVERSED-9 QUOTATION MARK"},
	{0x2024, Sign, ".", "ONE DOT LEADER"}, {0x2026, Dots, "...", "HORIZONTAL ELLIPSIS"},
	{0x2028, Blank, " ", "LINE SEPARATOR"}, {0x2029, Blank, " ", "PARAGRAPH SEPARATOR"},
	{0x202a, Bidi, "", "LEFT-TO-RIGHT EMBEDDING"}, {0x202b, Bidi, "", "RIGHT-TO-LEFT EMBEDDING"},
	{0x202c, Bidi, "", "POP DIRECTIONAL FORMATTING"}, {0x202d, Bidi, "", "LEFT-TO-RIGHT OVERRIDE"},
	{0x202e, Bidi, "", "RIGHT-TO-LEFT OVERRIDE"}, {0x202f, Blank, " ", "NARROW NO-BREAK SPACE"},
	{0x2032, Quote, "'", "PRIME"}, {0x2033, Quote, `"`, "DOUBLE PRIME"}, {0x2035, Quote, "'", "REVERSED PRIME"},
	{0x2036, Quote, `"`, "REVERSED DOUBLE PRIME"}, {0x2039, Quote, "'", "SINGLE LEFT-POINTING ANGLE QUOTATION MARK"},
	{0x203a, Quote, "'", "SINGLE RIGHT-POINTING ANGLE QUOTATION MARK"}, {0x2044, Sign, "/", "FRACTION SLASH"},
	{0x205f, Blank, " ", "MEDIUM MATHEMATICAL SPACE"}, {0x2060, Invisible, "", "WORD JOINER"},
	{0x2061, Invisible, "", "FUNCTION APPLICATION"}, {0x2062, Invisible, "", "INVISIBLE TIMES"},
	{0x2063, Invisible, "", "INVISIBLE SEPARATOR"}, {0x2064, Invisible, "", "INVISIBLE PLUS"},
	{0x2066, Bidi, "", "LEFT-TO-RIGHT ISOLATE"}, {0x2067, Bidi, "", "RIGHT-TO-LEFT ISOLATE"},
	{0x2068, Bidi, "", "FIRST STRONG ISOLATE"}, {0x2069, Bidi, "", "POP DIRECTIONAL ISOLATE"},
	{0x2212, Dash, "-", "MINUS SIGN"}, {0x2215, Sign, "/", "DIVISION SLASH"}, {0x2236, Sign, ":", "RATIO"},
	{0x2800, Blank, " ", "BRAILLE PATTERN BLANK"}, {0x3000, Blank, " ", "IDEOGRAPHIC SPACE"},
	{0x301d, Quote, `"`, "REVERSED DOUBLE PRIME QUOTATION MARK"}, {0x301e, Quote, `"`, "DOUBLE PRIME QUOTATION MARK"},
	{0x301f, Quote, `"`, "LOW DOUBLE PRIME QUOTATION MARK"}, {0x3164, Blank, "", "HANGUL FILLER"},
	{0xfe58, Dash, "-", "SMALL EM DASH"}, {0xfe63, Dash, "-", "SMALL HYPHEN-MINUS"},
	{0xfeff, Invisible, "", "ZERO WIDTH NO-BREAK SPACE (a byte order mark)"}, {0xffa0, Blank, "", "HALFWIDTH HANGUL FILLER"},
}

// signs are the names of the plain characters that are no letters and no digits, in their order.
var signs = []string{
	"EXCLAMATION MARK", "QUOTATION MARK", "NUMBER SIGN", "DOLLAR SIGN", "PERCENT SIGN", "AMPERSAND", "APOSTROPHE",
	"LEFT PARENTHESIS", "RIGHT PARENTHESIS", "ASTERISK", "PLUS SIGN", "COMMA", "HYPHEN-MINUS", "FULL STOP", "SOLIDUS",
	"COLON", "SEMICOLON", "LESS-THAN SIGN", "EQUALS SIGN", "GREATER-THAN SIGN", "QUESTION MARK", "COMMERCIAL AT",
	"LEFT SQUARE BRACKET", "REVERSE SOLIDUS", "RIGHT SQUARE BRACKET", "CIRCUMFLEX ACCENT", "LOW LINE", "GRAVE ACCENT",
	"LEFT CURLY BRACKET", "VERTICAL LINE", "RIGHT CURLY BRACKET", "TILDE",
}

// digits are the names of the digits.
var digits = []string{"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"}

// The fullwidth forms of the plain characters follow each other: U+FF01 is that of "!".
const (
	firstWide = 0xff01
	lastWide  = 0xff5e
)

// plainName returns the name of a plain character that can be seen.
func plainName(c rune) string {
	switch {
	case unicode.IsDigit(c):
		return "DIGIT " + digits[c-'0']
	case 'a' <= c && c <= 'z':
		return "LATIN SMALL LETTER " + string(c-'a'+'A')
	case 'A' <= c && c <= 'Z':
		return "LATIN CAPITAL LETTER " + string(c)
	}
	i := c - '!'
	for _, before := range []struct{ from, count rune }{{'0', 10}, {'A', 26}, {'a', 26}} {
		if c >= before.from {
			i -= before.count
		}
	}
	return signs[i]
}

// windows has what the bytes of Windows-1252 mean that a file has in the place of UTF-8, as the
// WHATWG's Encoding Standard lists them.
var windows = map[byte]rune{
	0x85: 0x2026, 0x91: 0x2018, 0x92: 0x2019, 0x93: 0x201c, 0x94: 0x201d, 0x96: 0x2013, 0x97: 0x2014,
	0xa0: 0x00a0, 0xab: 0x00ab, 0xad: 0x00ad, 0xb4: 0x00b4, 0xbb: 0x00bb,
}
