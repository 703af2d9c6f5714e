package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

const (
	maxNesting = 150 // of brackets and blocks
	maxPending = 500 // operators in one expression: the parser keeps the open ones
)

// A scan reads the tokens of a source, and keeps the brackets and blocks that are open.
type scan struct {
	scanner *parse.Scanner
	lexer   parse.Lexer

	token, previous ast.Token
	open            []opening
	pending         int    // operators since the expression began
	loop            string // while or for, until its do
	condition       bool   // between if, while or until, and what ends the condition
}

// An opening is a bracket or keyword that wants its end.
type opening struct {
	text, wants string
	line        int
}

func newScan(p *Program) *scan {
	return &scan{scanner: parse.NewScanner(bytes.NewReader(p.Source), p.Name)}
}

// next reads a token. At the end its type is parse.EOF.
func (s *scan) next() error {
	s.previous = s.token
	token, err := s.scanner.Scan(&s.lexer)
	s.token = token
	s.lexer.PrevTokenType, s.lexer.Token = token.Type, token
	return err
}

// follow keeps the account of what is open, after the token was read.
func (s *scan) follow() {
	switch text := tokenText(s.token); text {
	case "(", "[", "{":
		s.push(text, map[string]string{"(": ")", "[": "]", "{": "}"}[text])
	case "function", "if":
		s.push(text, "end")
		s.condition = text == "if"
	case "repeat":
		s.push(text, "until")
	case "while", "for":
		s.loop = text
		s.condition = text == "while"
	case "do":
		s.push(strings.TrimSpace(s.loop+" do"), "end")
		s.loop, s.condition = "", false
	case "then":
		s.condition = false
	case ")", "]", "}", "end", "until":
		if n := len(s.open); n > 0 && s.open[n-1].wants == text {
			s.open = s.open[:n-1]
		}
		s.condition = text == "until"
	}
	s.count()
}

func (s *scan) push(text, wants string) {
	s.open = append(s.open, opening{text, wants, s.token.Pos.Line})
}

// count counts the operators that the parser may have to remember until an expression ends.
func (s *scan) count() {
	switch s.token.Type {
	case parse.T2Comma, '^', '-', '#', parse.TNot:
		s.pending++
	case ',', ';', '=', parse.TLocal, parse.TReturn, parse.TIf, parse.TThen, parse.TWhile, parse.TDo, parse.TEnd, parse.TFunction:
		s.pending = 0
	}
}

// maxName is the length of the longest name. The machine puts names into messages
// and traces, uncounted.
const maxName = 256

// inspect reads all tokens before the parser does: the place of an unfinished string is known only
// here, and a source that would make the parser's stack large is refused.
func inspect(p *Program) error {
	s := newScan(p)
	for {
		if err := s.next(); err != nil {
			return p.lexical(s, err)
		}
		if s.token.Type == parse.EOF {
			return nil
		}
		if s.token.Type == parse.TIdent && len(s.token.Str) > maxName {
			return p.errorAt(s.token.Pos.Line, s.token.Pos.Column, "a name has %d letters: at most %d", len(s.token.Str), maxName)
		}
		s.follow()
		if len(s.open) > maxNesting {
			return p.errorAt(s.token.Pos.Line, s.token.Pos.Column, "nested too deeply: at most %d brackets and blocks", maxNesting)
		}
		if s.ambiguous() {
			return p.errorAt(s.token.Pos.Line, s.token.Pos.Column, "'(' on a new line would continue the call or name above it: put it on that line, or ';' before it")
		}
		if s.pending > maxPending {
			return p.errorAt(s.token.Pos.Line, s.token.Pos.Column, "the expression is too long: divide it")
		}
	}
}

// ambiguous finds a parenthesis that begins a line and would be taken for arguments. Lua 5.1
// refuses it; gopher-lua does only sometimes.
func (s *scan) ambiguous() bool {
	return s.token.Type == '(' && s.token.Pos.Line > s.previous.Pos.Line &&
		(s.previous.Type == parse.TIdent || s.previous.Type == ')' || s.previous.Type == ']')
}

// lexical says in plain words what is no token, and where it began.
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

// strange describes a character that begins no token.
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

// syntax says in plain words what the parser did not expect.
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

// tokenText returns a token as it is written; names, strings and numbers have none.
func tokenText(t ast.Token) string {
	switch {
	case t.Type == parse.TIdent || t.Type == parse.TString || t.Type == parse.TNumber || t.Type <= 0:
		return ""
	case t.Str == "":
		return string(rune(t.Type)) // the dot, which the scanner leaves without text
	}
	return t.Str
}

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

// clip shortens text for a message.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "..."
}

func isKeyword(t ast.Token) bool { return t.Type >= parse.TAnd && t.Type <= parse.TGoto }

func isEnd(t ast.Token) bool {
	return slices.Contains([]string{")", "]", "}", "end", "until"}, tokenText(t))
}

func endsValue(t ast.Token) bool {
	return tokenText(t) == "" || slices.Contains([]string{")", "]", "}", "end", "true", "false", "nil"}, tokenText(t))
}

func startsValue(t ast.Token) bool {
	return tokenText(t) == "" || slices.Contains([]string{"{", "(", "[", "function", "true", "false", "nil", "not"}, tokenText(t))
}
