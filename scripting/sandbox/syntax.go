package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
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
		message = "unfinished string"
	case "unterminated multiline string":
		message = "unfinished string: ']]' is missing"
	case "invalid multiline comment":
		message = "unfinished comment: ']]' is missing"
	case "invalid multiline string":
		message = "malformed long string: expected '[['"
	case "illegal hexadecimal number":
		message = "malformed number: expected hexadecimal digits after '0x'"
	case "Invalid '~' token":
		message = "unexpected '~': not equal is written '~='"
	case "Invalid token":
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
	if strings.HasPrefix(rest, "!=") {
		return "unexpected '!=': not equal is written '~='"
	}
	for _, c := range []struct{ text, instead string }{{"!", "not"}, {"&", "and"}, {"|", "or"}} {
		if strings.HasPrefix(rest, c.text) {
			return fmt.Sprintf("unexpected '%s': write '%s'", c.text, c.instead)
		}
	}
	return fmt.Sprintf("unexpected character %q", []rune(rest)[0])
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
	return p.errorAt(place.Line, place.Column, "%s", s.explain(failed.Message))
}

// explain returns the message for the token at hand, from the most to the least specific guess.
func (s *scan) explain(message string) string {
	top := opening{}
	if n := len(s.open); n > 0 {
		top = s.open[n-1]
	}
	got := describe(s.token)
	missing := fmt.Sprintf("'%s' is missing for '%s' at line %d", top.wants, top.text, top.line)
	switch {
	case message == "parse error":
		return "an expression alone does nothing: expected '=' or a call"
	case s.token.Type == parse.EOF && top.wants != "":
		return "unexpected end of the file: " + missing
	case s.token.Type == parse.EOF:
		return "unexpected end of the file"
	case s.condition && s.token.Type == '=':
		return "unexpected '=': comparison is written '=='"
	case top.text == "{" && isKeyword(s.token) && slices.Contains([]string{"{", ",", ";"}, tokenText(s.previous)):
		return fmt.Sprintf("unexpected %s: a keyword cannot be a name; write [\"%s\"] = ...", got, s.token.Str)
	case top.text == "{" && endsValue(s.previous) && startsValue(s.token):
		return fmt.Sprintf("unexpected %s: ',' is missing before it, in '{' at line %d", got, top.line)
	case top.wants != "" && isEnd(s.token) && top.wants != tokenText(s.token):
		return fmt.Sprintf("unexpected %s: %s", got, missing)
	}
	return "unexpected " + got
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
