package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"sesame/daemon/spelling"
)

// This file words the errors of gopher-lua's scanner and parser for authors of scripts. Its tests
// hold the texts: an error names what is missing, and where the bracket or block began.

// lexical returns an error for text that is no token, at the place where it began.
func (p *Program) lexical(s *scan, err error) error {
	message := err.Error()
	if e := new(parse.Error); errors.As(err, &e) {
		message = e.Message
	}
	place := s.token.Pos
	switch message {
	case "unterminated string":
		message = "unfinished string: a quote is missing in this line" + quoteHint(sourceLine(p.Source, place.Line), true)
	case "unterminated multiline string":
		message = "unfinished string: ']]' is missing"
	case "invalid multiline comment":
		message = "unfinished comment: ']]' is missing"
	case "invalid multiline string":
		message = "malformed long string: expected '[['"
	case "illegal hexadecimal number":
		message = "malformed number: expected hexadecimal digits after '0x'"
	case "Invalid token", "Invalid '~' token":
		message = p.strange(place)
	}
	return p.errorAt(place.Line, place.Column, "%s", message)
}

// strange describes a character that begins no token. Some are operators of other languages.
func (p *Program) strange(place ast.Position) string {
	line := sourceLine(p.Source, place.Line)
	if place.Column < 1 || place.Column > len(line) {
		return "unexpected character"
	}
	rest := line[place.Column-1:]
	if pasted := pastedCharacter(rest); pasted != "" {
		return pasted
	}
	character := fmt.Sprintf("unexpected character %q", []rune(rest[:min(len(rest), utf8.UTFMax)])[0])
	switch h := startsWith(rest, lexicalHabits); {
	case h.text == "":
		return character
	case h.text[0] > ' ' && h.text[0] < utf8.RuneSelf:
		return fmt.Sprintf("unexpected '%s': %s", h.text, h.instead)
	default:
		return character + ": " + h.instead
	}
}

// pastedCharacter names the character with which a text begins, if a web page or a word processor
// put it there; "": it is another.
func pastedCharacter(text string) string {
	title, plain := spelling.First(text)
	switch {
	case title == "":
		return ""
	case plain == "":
		return "unexpected " + title + ": remove it"
	case strings.TrimSpace(plain) == "":
		return "unexpected " + title + ": write a plain blank"
	case plain == `"` || plain == "'":
		plain = "quote " + plain
	case plain == "-":
		plain = "minus -"
	}
	return "unexpected " + title + ": write the plain " + plain
}

// syntax returns an error for a token that the parser did not expect. It reads the tokens again up
// to that one, to know what is open there. At the end of the file, and for an expression that
// is alone, the place is that of the token before.
func (p *Program) syntax(err error) error {
	failed := new(parse.Error)
	if !errors.As(err, &failed) {
		return p.errorAt(0, 0, "the parser failed: %v", err)
	}
	s := newScan(p)
	for s.next() == nil && s.token.Type != parse.EOF {
		if s.scanner.Pos == failed.Pos || s.token.Pos == failed.Pos {
			break
		}
		s.follow()
	}
	place := s.token.Pos
	if s.token.Type == parse.EOF || failed.Message == "parse error" {
		place = s.previous.Pos
	}
	if place.Line < 1 {
		place.Line, place.Column = 1, 1
	}
	return p.errorAt(place.Line, place.Column, "%s%s", s.explain(failed.Message), quoteHint(sourceLine(p.Source, place.Line), false))
}

// quoteHint returns the end of a message about a line that has typographic quotes, or "". They end
// no string, so that what comes behind them is read as if it was meant. Those in a string are
// right, unless a string of the line does not end.
func quoteHint(line string, unfinished bool) string {
	kinds := spelling.Quote
	if unfinished {
		kinds |= spelling.Prose
	}
	for _, w := range spelling.Strange(line, kinds) {
		if !strings.Contains(w.Names[0], "ELLIPSIS") {
			return "; " + w.String()
		}
	}
	return ""
}

// explain returns the message for the token at hand, from the most to the least specific guess.
func (s *scan) explain(message string) string {
	top := opening{}
	if n := len(s.open); n > 0 {
		top = s.open[n-1]
	}
	got, alone, text := describe(s.token), message == "parse error", tokenText(s.token)
	foreign := s.foreign(alone)
	switch {
	case foreign != "":
		return foreign
	case alone:
		return "an expression alone does nothing: expected '=' or a call"
	case s.token.Type == parse.EOF && top.wants != "":
		return "unexpected end of the file: " + s.missing(top)
	case s.token.Type == parse.EOF:
		return "unexpected end of the file"
	case s.condition && text == "=":
		return "unexpected '=': comparison is written '=='"
	case s.headless():
		return fmt.Sprintf("unexpected %s: '%s' is missing for '%s' at line %d", got, s.wanted(), s.head.text, s.head.line)
	case s.condition && s.head.text != "" && top.text == "{" && isKeyword(s.token):
		return fmt.Sprintf("unexpected %s: 'then' is missing for '%s' at line %d, and a block is no { }", got, s.head.text, s.head.line)
	case top.text == "{" && s.colon() != "":
		return s.colon()
	case text == "[" && tokenText(s.previous) == "=":
		return "unexpected '[': a list is written { ... }"
	case text == "(" && tokenText(s.previous) == "function" && tokenText(s.earlier[0]) == "local":
		return "unexpected '(': a local function has a name: write local function NAME(...), or local NAME = function(...)"
	case text != "(" && s.previous.Type == parse.TIdent && tokenText(s.earlier[0]) == "function":
		return fmt.Sprintf("unexpected %s: '()' is missing: write function %s()", got, clip(s.previous.Str, 40))
	case top.text == "{" && isKeyword(s.token) && slices.Contains([]string{"{", ",", ";"}, tokenText(s.previous)):
		return fmt.Sprintf("unexpected %s: a keyword cannot be a name; write [\"%s\"] = ...", got, s.token.Str)
	case top.text == "{" && endsValue(s.previous) && startsValue(s.token):
		return fmt.Sprintf("unexpected %s: ',' is missing before it, in '{' at line %d", got, top.line)
	case top.wants != "" && isEnd(s.token) && top.wants != text:
		return fmt.Sprintf("unexpected %s: %s", got, s.missing(top))
	case text == "," && top.wants == "end" && tokenText(s.previous) == "end":
		return "unexpected ',': " + s.missing(top)
	case s.returning > 0 && s.returning < s.token.Pos.Line:
		return fmt.Sprintf("unexpected %s: 'return' at line %d ends its block: put it last, or in do ... end", got, s.returning)
	}
	return "unexpected " + got
}

// missing says which end is missing. Where a block was closed by an end that stands further left,
// that block is probably the one, and not the one that is open.
func (s *scan) missing(top opening) string {
	if top.wants == "end" && s.unended.text != "" {
		top = s.unended
	}
	said := fmt.Sprintf("'%s' is missing for '%s' at line %d", top.wants, strings.TrimSuffix(top.text, " do"), top.line)
	if top.wants == "end" && s.elseIf > 0 {
		said += fmt.Sprintf(": write elseif in one word at line %d, or one more end", s.elseIf)
	}
	return said
}

// headless reports whether a statement begins where the then or do of the one before is missing.
func (s *scan) headless() bool {
	if !s.condition && s.loop == "" || s.head.text == "" {
		return false
	}
	statement := []string{"return", "local", "if", "for", "while", "repeat", "break", "end", "else", "elseif"}
	return slices.Contains(statement, tokenText(s.token)) || s.token.Type == parse.TIdent && s.token.Pos.Line > s.head.line
}

// wanted returns the keyword behind the condition at hand.
func (s *scan) wanted() string {
	if s.loop != "" {
		return "do"
	}
	return "then"
}

// describe names a token in a message.
func describe(t ast.Token) string {
	switch t.Type {
	case parse.TIdent:
		return fmt.Sprintf("name '%s'", clip(t.Str, 40))
	case parse.TNumber:
		return "number " + clip(t.Str, 40)
	case parse.TString:
		return fmt.Sprintf("string %q", clip(t.Str, 40))
	}
	return "'" + tokenText(t) + "'"
}

// endsValue reports whether a value may end with the token. Together with startsValue it finds a
// missing comma.
func endsValue(t ast.Token) bool {
	return tokenText(t) == "" || slices.Contains([]string{")", "]", "}", "end", "true", "false", "nil"}, tokenText(t))
}

// startsValue reports whether a value may begin with the token.
func startsValue(t ast.Token) bool {
	return tokenText(t) == "" || slices.Contains([]string{"{", "(", "[", "function", "true", "false", "nil", "not"}, tokenText(t))
}
