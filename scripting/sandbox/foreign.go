package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"sesame/daemon/spelling"
)

// This file knows what authors write who are used to another language, or to a later Lua. It only
// makes messages better: all of it is refused anyway.

// A habit is a text of another language with what scripts write instead.
type habit struct{ text, instead string }

const noBits = "Lua 5.1 has no bit operations; string.unpack takes bytes apart"

// lexicalHabits begin with a character that begins no token. The longer of two that begin alike
// comes first.
var lexicalHabits = []habit{
	{"!=", "not equal is written '~='"},
	{"!", "write 'not'"},
	{"&&", "write 'and'"},
	{"||", "write 'or'"},
	{"&", noBits},
	{"|", noBits},
	{"~", "not equal is written '~=', and " + noBits},
	{"?", "write a and b or c"},
	{"`", "write strings in \" or '"},
	{"\x00", "the file is no text in UTF-8: save it as UTF-8"},
}

// operatorHabits consist of signs that Lua knows one by one.
var operatorHabits = []habit{
	{"+=", "write NAME = NAME + VALUE"},
	{"-=", "write NAME = NAME - VALUE"},
	{"*=", "write NAME = NAME * VALUE"},
	{"/=", "write NAME = NAME / VALUE"},
	{"..=", "write NAME = NAME .. TEXT"},
	{"++", "write NAME = NAME + 1"},
	{"//", "Lua 5.1 has no such division: write math.floor(a / b)"},
	{"/*", "a comment begins with --"},
	{"<<", noBits + ", and shifts are x * 2^n"},
	{">>", noBits + ", and shifts are math.floor(x / 2^n)"},
	{"<>", "not equal is written '~='"},
	{"=>", "a function is written function(x) return ... end"},
	{"->", "a function is written function(x) return ... end"},
}

// wordHabits are words that are names here.
var wordHabits = []habit{
	{"continue", "Lua 5.1 has none: put the rest of the loop in if ... then ... end"},
	{"elif", "write elseif"},
	{"elsif", "write elseif"},
	{"var", "write local"},
	{"let", "write local"},
	{"const", "write local"},
	{"def", "write local function NAME(...) ... end"},
	{"func", "write local function NAME(...) ... end"},
	{"fn", "write local function NAME(...) ... end"},
	{"import", `write local NAME = require "NAME"`},
	{"from", `write local NAME = require "NAME"`},
	{"switch", "write if ... elseif ... end"},
	{"unless", "write if not ... then ... end"},
	{"try", "write pcall(function() ... end)"},
	{"lambda", "a function is written function(x) return ... end"},
}

// globalHabits are names of values in other languages.
var globalHabits = []habit{
	{"null", "write nil"}, {"None", "write nil"}, {"Nil", "write nil"}, {"NULL", "write nil"}, {"undefined", "write nil"},
	{"True", "write true"}, {"TRUE", "write true"}, {"False", "write false"}, {"FALSE", "write false"},
	{"include", `write require "NAME", for lib/NAME.lua`}, {"import", `write require "NAME", for lib/NAME.lua`},
	{"f", `write "text " .. value`},
	{"self", "write the name of the function's parameter"},
}

// startsWith returns the habit with which a text starts, or the zero habit.
func startsWith(text string, habits []habit) habit {
	for _, h := range habits {
		if strings.HasPrefix(text, h.text) {
			return h
		}
	}
	return habit{}
}

func called(name string, habits []habit) habit {
	for _, h := range habits {
		if h.text == name {
			return h
		}
	}
	return habit{}
}

// undefinedMessage returns the message for a global that nobody defines.
func undefinedMessage(name string) string {
	message := fmt.Sprintf("%q is not defined", name)
	switch h := called(name, globalHabits); {
	case h.instead != "":
		message += ": " + h.instead
	case slices.Contains([]string{"attempt", "knock", "grant", "timer"}, name):
		message += ": it is the parameter of a function, so write function(" + name + ")"
	}
	return message
}

// foreign returns the message for a habit at the token at hand or the one before it; "": there is
// none.
func (s *scan) foreign(alone bool) string {
	for _, token := range []ast.Token{s.token, s.previous} {
		rest := s.from(token)
		if h := startsWith(rest, operatorHabits); h.text != "" {
			if h.text == "//" && strings.TrimSpace(sourceLine(s.program.Source, token.Pos.Line)[:token.Pos.Column-1]) == "" {
				h.instead = "a comment begins with --"
			}
			return fmt.Sprintf("unexpected '%s': %s", h.text, h.instead)
		}
		if tokenText(token) == "#" && token.Pos.Column == 1 {
			return "unexpected '#': a comment begins with --"
		}
	}
	if h := called(s.previous.Str, wordHabits); alone && s.previous.Type == parse.TIdent && h.text != "" {
		return fmt.Sprintf("unexpected '%s': %s", h.text, h.instead)
	}
	if alone && s.previous.Type == parse.TIdent && s.token.Pos.Line == s.previous.Pos.Line && startsValue(s.token) {
		return fmt.Sprintf("unexpected %s: write a call with parentheses, as in %s(...)", describe(s.token), clip(s.previous.Str, 40))
	}
	return ""
}

// from returns the text of a line from a token on.
func (s *scan) from(t ast.Token) string {
	line := sourceLine(s.program.Source, t.Pos.Line)
	if t.Pos.Column < 1 || t.Pos.Column > len(line) {
		return ""
	}
	return line[t.Pos.Column-1:]
}

// colon returns the message for name: value in a table, as in JSON; "": it is something else.
func (s *scan) colon() string {
	name, value := "", "VALUE"
	switch {
	case tokenText(s.token) == ":":
		name = s.previous.Str
	case tokenText(s.previous) == ":":
		name, value = s.earlier[0].Str, written(s.token)
	case tokenText(s.earlier[0]) == ":" && (tokenText(s.token) == "," || tokenText(s.token) == "}"):
		name, value = s.earlier[1].Str, written(s.previous)
	}
	if name == "" || name[0] >= '0' && name[0] <= '9' || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return fmt.Sprintf("unexpected ':': in a table write %s = %s", clip(name, 40), value)
}

// written returns a value of one token as it is written, and "VALUE" for others.
func written(t ast.Token) string {
	switch text := clip(t.Str, 40); {
	case t.Type == parse.TString:
		return strconv.Quote(text)
	case t.Type == parse.TIdent, t.Type == parse.TNumber, t.Type == parse.TTrue, t.Type == parse.TFalse, t.Type == parse.TNil:
		return text
	}
	return "VALUE"
}

// maxNames bounds the names of a file that are compared with one that is not defined.
const maxNames = 1000

// undefined returns the error for a global that is read in a line and that nobody defines.
func (p *Program) undefined(line int, name string) *Error {
	message := undefinedMessage(name)
	if !strings.Contains(message, ": ") {
		var known []string
		for s := newScan(p); s.next() == nil && s.token.Type != parse.EOF && len(known) < maxNames; {
			if s.token.Type == parse.TIdent && s.token.Str != name && !slices.Contains([]string{".", ":"}, tokenText(s.previous)) {
				known = append(known, s.token.Str)
			}
		}
		if near := spelling.Nearest(name, known); near != "" {
			message += fmt.Sprintf(": did you mean %q?", near)
		}
	}
	return p.errorAtName(line, name, "%s", message)
}

// undefinedName returns the name that a message of [undefinedMessage] is about.
func undefinedName(message string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(message, `"`), `"`)
	if undefinedMessage(name) != message {
		return ""
	}
	return name
}
