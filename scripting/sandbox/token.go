package sandbox

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"sesame/daemon/spelling"
)

// This file reads the tokens of a source before the parser does, for two reasons. gopher-lua's
// parser is made by goyacc (parse/parser.go): its stack grows with each bracket, block and pending
// operator, without a limit. And its errors lack the place where an unfinished string or bracket
// began.

const (
	maxNesting = 150 // brackets and blocks that are open at once
	maxPending = 500 // operators in one expression that the parser may hold on its stack
)

// maxName is the length of the longest name in bytes. The machine copies names into messages and
// traces of the stack (LState.formattedFrameFuncName), and does not count that.
const maxName = 256

// A scan reads the tokens of a source, and tracks the brackets and blocks that are open.
type scan struct {
	program *Program
	scanner *parse.Scanner
	lexer   parse.Lexer

	token, previous ast.Token
	earlier         [2]ast.Token // before previous, the later first
	open            []opening
	pending         int    // operators since the expression began, at most so many are open
	loop            string // "while" or "for", until its "do"
	condition       bool   // between "if", "while" or "until" and the end of the condition

	// For messages alone.
	indent    int     // of the line at hand
	head      opening // the "if", "while" or "for" that waits for its "then" or "do"
	unended   opening // the first block whose "end" stands further left than it
	elseIf    int     // the line of the first "else if" in two words
	returning int     // the line of a "return" in the block at hand
}

// An opening is a bracket or keyword that is not closed yet.
type opening struct {
	text, wants  string
	line, indent int
}

func newScan(p *Program) *scan {
	return &scan{program: p, scanner: parse.NewScanner(bytes.NewReader(p.Source), p.Name)}
}

// next reads a token. At the end its type is parse.EOF. The scanner needs the type of the token
// before, as the parser passes it.
func (s *scan) next() error {
	s.earlier = [2]ast.Token{s.previous, s.earlier[0]}
	s.previous = s.token
	token, err := s.scanner.Scan(&s.lexer)
	s.token = token
	if token.Pos.Line > s.previous.Pos.Line {
		s.indent = token.Pos.Column
	}
	s.lexer.PrevTokenType, s.lexer.Token = token.Type, token
	return err
}

// follow updates the open brackets and blocks after a token was read. A closing token that fits
// nothing changes nothing: the parser will refuse it.
func (s *scan) follow() {
	switch text := tokenText(s.token); text {
	case "(", "[", "{":
		s.push(text, map[string]string{"(": ")", "[": "]", "{": "}"}[text])
	case "function", "if":
		s.push(text, "end")
		s.condition, s.returning = text == "if", 0
		if text == "if" {
			s.head = s.open[len(s.open)-1]
		}
		if text == "if" && tokenText(s.previous) == "else" && s.elseIf == 0 && s.previous.Pos.Line == s.token.Pos.Line {
			s.elseIf = s.token.Pos.Line
		}
	case "elseif":
		s.condition, s.returning = true, 0
		s.head = opening{text: text, line: s.token.Pos.Line}
	case "else":
		s.returning = 0
	case "return":
		s.returning = s.token.Pos.Line
	case "repeat":
		s.push(text, "until")
	case "while", "for":
		s.loop = text
		s.condition, s.returning = text == "while", 0
		s.head = opening{text: text, line: s.token.Pos.Line}
	case "do":
		s.push(strings.TrimSpace(s.loop+" do"), "end")
		s.loop, s.condition = "", false
	case "then":
		s.condition = false
	case ")", "]", "}", "end", "until":
		if n := len(s.open); n > 0 && s.open[n-1].wants == text {
			if closed := s.open[n-1]; s.unended.text == "" && s.indent == s.token.Pos.Column && s.indent < closed.indent {
				s.unended = closed
			}
			s.open = s.open[:n-1]
		}
		if text == "end" || text == "until" {
			s.returning = 0
		}
		switch {
		case text == "until":
			s.condition, s.head = true, opening{}
		case text == "end" || s.head.text == "":
			s.condition = false
		}
	}
	s.count()
}

func (s *scan) push(text, wants string) {
	s.open = append(s.open, opening{text, wants, s.token.Pos.Line, s.indent})
}

// count counts the operators that bind to the right (.. and ^) or are unary: the parser holds them
// on its stack until their operand ends. Other operators are reduced at once. A token that ends an
// expression sets the count to zero, also inside brackets. So the stack holds at most maxPending
// operators for each of at most maxNesting open brackets.
func (s *scan) count() {
	switch s.token.Type {
	case parse.T2Comma, '^', '-', '#', parse.TNot:
		s.pending++
	case ',', ';', '=', parse.TLocal, parse.TReturn, parse.TIf, parse.TThen, parse.TWhile, parse.TDo, parse.TEnd, parse.TFunction:
		s.pending = 0
	}
}

// inspect reads all tokens. It refuses a source that has none, that would make the parser's stack
// large, or that has a name of more than maxName bytes. It charges for what the parser and the
// compiler make of the tokens, before they do.
func inspect(p *Program, b *Budget) error {
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
		steps, bytes := int64(tokenSteps), int64(tokenBytes)
		if s.token.Type == parse.TFunction {
			steps, bytes = steps+protoSteps, bytes+protoBytes
		}
		if !b.charge(steps, bytes) {
			return b.failed(p, s.token.Pos.Line)
		}
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

// ambiguous reports whether the token is a parenthesis that begins a line and would be taken for
// arguments of the line above. Lua 5.1 refuses this everywhere (reference manual, section 2.5.8);
// gopher-lua only behind some tokens.
func (s *scan) ambiguous() bool {
	return s.token.Type == '(' && s.token.Pos.Line > s.previous.Pos.Line &&
		(s.previous.Type == parse.TIdent || s.previous.Type == ')' || s.previous.Type == ']')
}

// tokenText returns a keyword or sign as it is written, and "" for names, strings and numbers.
func tokenText(t ast.Token) string {
	switch {
	case t.Type == parse.TIdent || t.Type == parse.TString || t.Type == parse.TNumber || t.Type <= 0:
		return ""
	case t.Str == "":
		return string(rune(t.Type)) // the dot, which the scanner leaves without text
	}
	return t.Str
}

func isKeyword(t ast.Token) bool { return t.Type >= parse.TAnd && t.Type <= parse.TGoto }

func isEnd(t ast.Token) bool {
	return slices.Contains([]string{")", "]", "}", "end", "until"}, tokenText(t))
}

// A namedError is about the first use of a variable on a line; the name is "" for other errors.
type namedError struct {
	*Error
	name string
}

// place finds the columns of the names. The tree of gopher-lua has no columns, so the tokens are
// read once more: once for all errors, since there may be many.
func (p *Program) place(errs []namedError) {
	last := 0
	for _, e := range errs {
		if e.name != "" {
			last = max(last, e.Line)
		}
	}
	for s := newScan(p); last > 0 && s.next() == nil && s.token.Type != parse.EOF && s.token.Pos.Line <= last; {
		other := slices.Contains([]string{".", ":", "local"}, tokenText(s.previous)) // a field, or a declaration
		if s.token.Type != parse.TIdent || other {
			continue
		}
		for _, e := range errs {
			if e.Column == 0 && e.Line == s.token.Pos.Line && e.name == s.token.Str {
				e.Column = s.token.Pos.Column
			}
		}
	}
	for _, e := range errs {
		e.Quote(sourceLine(p.Source, e.Line))
	}
}

// errorAtName is errorAt with the column of the first use of a variable on the line.
func (p *Program) errorAtName(line int, name string, format string, args ...any) *Error {
	e := &Error{File: p.Name, Line: line, Message: fmt.Sprintf(format, args...)}
	p.place([]namedError{{e, name}})
	return e
}

// clip shortens text to n bytes for a message.
func clip(text string, n int) string { return spelling.Shortened(text, n) }
