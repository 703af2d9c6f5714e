package spelling

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxStrange is how many words of a line [Strange] returns.
const maxStrange = 20

// A Word is a word of a line with characters that are there by mistake.
type Word struct {
	Column      int    // of the first of them, from 1, in characters
	Text, Plain string // the word, or what is around the first of them; and what to write instead
	Names       []string
}

// String returns `"–dport" has U+2013 EN DASH in column 7: write "--dport"`.
func (w Word) String() string { return w.message(fmt.Sprintf(" in column %d", w.Column)) }

// Placeless returns the same without the column, for a text whose place in its line is not known.
func (w Word) Placeless() string { return w.message("") }

func (w Word) message(where string) string {
	instead := "remove it"
	if w.Plain != "" {
		instead = "write " + quoted(w.Plain)
	}
	return fmt.Sprintf("%s has %s%s: %s", quoted(w.Text), strings.Join(w.Names, " and "), where, instead)
}

// maxHints is how many words [Hint] names.
const maxHints = 2

// Hint returns the end of a message about a text that is refused: what in it a web page or a word
// processor put there. It is "" for other texts.
func Hint(text string) (hint string) {
	words := Strange(text, InCode)
	for _, w := range words[:min(len(words), maxHints)] {
		hint += "; " + w.Placeless()
	}
	return hint
}

// First names the character with which a text begins, with what to write instead, when it is such
// a one: "U+201C LEFT DOUBLE QUOTATION MARK", "\"". The result is "" for other characters.
func First(text string) (title, plain string) {
	_, size := utf8.DecodeRuneInString(text)
	letters := decode(text[:size], make([]bool, size))
	if len(letters) == 0 {
		return "", ""
	}
	c, known := lookUp(letters[0].r)
	if !known {
		return "", ""
	}
	return strings.TrimSuffix(c.title(letters[0]), ","), c.plain
}

// quoted returns a text in quotes that it does not have, with escapes for what cannot be seen.
func quoted(text string) string {
	q := strconv.Quote(text)
	if strings.Contains(text, `"`) {
		return "'" + strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) + "'"
	}
	return q
}

// Plain returns a text with what is meant in the place of characters of these kinds.
func Plain(text string, kinds Kind) string {
	if plainASCII(text) {
		return text
	}
	s, letters := &words{kinds: kinds}, decode(text, make([]bool, len(text)))
	var b strings.Builder
	for i := range letters {
		b.WriteString(s.plain(letters, i))
	}
	return b.String()
}

// Strange returns the words of a line that have characters of these kinds. Words have ASCII blanks
// between them.
func Strange(line string, kinds Kind) (found []Word) {
	if plainASCII(line) {
		return nil
	}
	s := &words{kinds: kinds}
	prose := quotedBytes(line)
	for at, column := 0, 1; at < len(line) && len(found) < maxStrange; {
		if strings.IndexByte(asciiBlanks, line[at]) >= 0 {
			at, column = at+1, column+1
			continue
		}
		end := at + cmp.Or(max(strings.IndexAny(line[at:], asciiBlanks), 0), len(line)-at)
		word := line[at:end]
		if w, is := s.word(decode(word, prose[at:]), column); is {
			found = append(found, w)
		}
		at, column = end, column+utf8.RuneCountInString(word)
	}
	return found
}

const asciiBlanks = " \t\n\v\f\r"

func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// maxAround is how much of a long word is shown before and behind the first character that is in it
// by mistake, in characters.
const maxAround = 24

// A words finds characters of some kinds in words.
type words struct{ kinds Kind }

// word returns a word if it has characters that are there by mistake.
func (s *words) word(letters []letter, column int) (Word, bool) {
	w, from, shown := Word{}, 0, letters
	for i := range letters {
		c, is := s.strange(letters, i)
		if !is {
			continue
		}
		if w.Names == nil {
			from = max(0, i-maxAround)
			w.Column, shown = column+i, letters[from:min(len(letters), i+maxAround)]
		}
		if name := c.title(letters[i]); !slices.Contains(w.Names, name) && len(w.Names) < 3 {
			w.Names = append(w.Names, name)
		}
	}
	if w.Names == nil {
		return w, false
	}
	var text, plain strings.Builder
	for i := range shown {
		text.WriteString(shown[i].text)
		plain.WriteString(s.plain(letters, from+i))
	}
	w.Text, w.Plain = text.String(), strings.Trim(plain.String(), asciiBlanks)
	return w, true
}

// A letter is a character of a text, or a byte that is none.
type letter struct {
	r    rune // what it is, or would be in Windows-1252
	text string
	byte bool
	// latin reports that it is among letters of which one is Latin: then it is not from a word of
	// another language.
	latin bool
	// wide reports that it is among letters of a language that has its signs in a wide form.
	wide bool
	// prose reports that it is between ASCII quotes.
	prose bool
}

// decode returns the characters of a text, of which these bytes are between ASCII quotes.
func decode(text string, prose []bool) (letters []letter) {
	for at := 0; text != ""; {
		r, size := utf8.DecodeRuneInString(text)
		l := letter{r: r, text: text[:size], prose: prose[at]}
		if r == utf8.RuneError && size == 1 {
			l.byte = true
			if known, is := windows[text[0]]; is {
				l.r = known
			}
		}
		letters, text, at = append(letters, l), text[size:], at+size
	}
	for range 2 {
		markLatin(letters)
		markWide(letters)
		slices.Reverse(letters)
	}
	return letters
}

// markLatin marks the letters that have a Latin one before them in the same name.
func markLatin(letters []letter) {
	since := maxAround
	for i := range letters {
		switch r := letters[i].r; {
		case 'a' <= r|0x20 && r|0x20 <= 'z':
			since = 0
		case !inName(r):
			since = maxAround
		default:
			since++
			letters[i].latin = letters[i].latin || since <= maxAround
		}
	}
}

// title returns "U+2013 EN DASH".
func (c character) title(l letter) string {
	if l.byte {
		return fmt.Sprintf("the byte 0x%02x, which is U+%04X %s in Windows-1252,", l.text[0], c.r, c.name)
	}
	return fmt.Sprintf("U+%04X %s", c.r, c.name)
}

// lookUp returns what is known of a character.
func lookUp(r rune) (character, bool) {
	if firstWide <= r && r <= lastWide {
		plain := '!' + r - firstWide
		return character{r, Wide, string(plain), "FULLWIDTH " + plainName(plain)}, true
	}
	i, found := slices.BinarySearchFunc(characters, r, func(c character, r rune) int { return cmp.Compare(c.r, r) })
	if !found {
		return character{}, false
	}
	return characters[i], true
}

// strange returns what is known of the character at a place of a word, and whether it is there by
// mistake.
func (s *words) strange(word []letter, i int) (character, bool) {
	c, known := lookUp(word[i].r)
	if !known {
		return c, false
	}
	switch {
	case c.kind == Dash && !glued(word, i):
		c.kind = LoneDash
	case c.kind == Quote && c.plain == "'" && is(word, i-1, inName) && is(word, i+1, inName):
		c.kind = Apostrophe
	case (c.kind == Quote || c.kind == Dots) && word[i].prose:
		c.kind = Prose
	case c.kind == LookAlike && !word[i].latin, inOtherText(word, i, c):
		return c, false
	}
	return c, c.kind&s.kinds != 0
}

// plain returns what is meant by the character at a place of a word. Pages make one dash of the two
// before a long option, and a comma of the quote between two numbers.
func (s *words) plain(word []letter, i int) string {
	c, is := s.strange(word, i)
	switch {
	case !is:
		return word[i].text
	case c.kind == Dash && !isDash(word, i-1) && optionMayBegin(word, i) && isLetter(word, i+1) && isLetter(word, i+2):
		return "--"
	case c.r == 0x201a && isDigit(word, i-1) && isDigit(word, i+1):
		return ","
	}
	return c.plain
}

// glued reports whether a dash belongs to what follows: prose has a blank there.
func glued(word []letter, i int) bool {
	return isLetter(word, i+1) || isDigit(word, i+1) || isDash(word, i+1)
}

// optionMayBegin reports whether an option of a command may begin at a place: nothing but quotes,
// brackets and an equals sign is before it.
func optionMayBegin(word []letter, i int) bool {
	if i == 0 {
		return true
	}
	c, known := lookUp(word[i-1].r)
	return known && c.kind&(Quote|Blank|Invisible|Bidi) != 0 || strings.ContainsRune("\"'=([{`"+asciiBlanks, word[i-1].r)
}

func is(word []letter, i int, what func(rune) bool) bool {
	return i >= 0 && i < len(word) && what(word[i].r)
}

func isLetter(word []letter, i int) bool { return is(word, i, unicode.IsLetter) }

func isDigit(word []letter, i int) bool { return is(word, i, unicode.IsDigit) }

func isDash(word []letter, i int) bool {
	return is(word, i, func(r rune) bool {
		c, known := lookUp(r)
		return r == '-' || known && c.kind == Dash
	})
}

// inName reports whether a character can be a part of a name.
func inName(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
