package source

import (
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// At returns the place of an expression. It looks in the line of the
// expression, behind a byte offset, since the parser reports lines alone.
func (s *Script) At(expr ast.Expr, after int) Place {
	line := expr.Line()
	return Place{s.Path, line, s.Column(line, wordOf(expr), after)}
}

// Column returns the column of a word in a line, behind a byte offset. When the
// word is not there, it returns the column where the text of the line begins; 0
// when there is no such line.
func (s *Script) Column(line int, word string, after int) int {
	if line < 1 || line > len(s.Lines) {
		return 0
	}
	text := s.Lines[line-1]
	i, ok := s.find(line, word, after)
	switch {
	case !ok:
		return len(text) - len(strings.TrimLeft(text, " \t")) + 1
	case i > 0 && (text[i-1] == '"' || text[i-1] == '\''):
		return i
	}
	return i + 1
}

// maxSearched is how far behind an offset find looks, in bytes: a text that a program made may be
// one line.
const maxSearched = 1024

// find returns the byte offset of a word in a line, not far behind another offset.
func (s *Script) find(line int, word string, after int) (int, bool) {
	if line < 1 || line > len(s.Lines) || word == "" {
		return 0, false
	}
	text, from := s.Lines[line-1], max(after, 0)
	text = text[:min(len(text), from+maxSearched+len(word))]
	for from = min(from, len(text)); ; from++ {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return 0, false
		}
		if from += i; isolated(text, from, from+len(word)) {
			return from, true
		}
	}
}

// isolated reports whether text[start:end] is not part of a longer name.
func isolated(text string, start, end int) bool {
	return !(start > 0 && letter(text[start-1]) && letter(text[start])) &&
		!(end < len(text) && letter(text[end]) && letter(text[end-1]))
}

func letter(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// wordOf returns the word with which an expression begins in the text; "" when
// it is not known.
func wordOf(expr ast.Expr) string {
	switch n := expr.(type) {
	case *ast.StringExpr:
		if n.Value == "" {
			return `""`
		}
		return n.Value
	case *ast.NumberExpr:
		return n.Value
	case *ast.IdentExpr:
		return n.Value
	case *ast.AttrGetExpr:
		return wordOf(n.Object)
	case *ast.FuncCallExpr:
		if n.Func == nil {
			return wordOf(n.Receiver) + ":" + n.Method
		}
		return wordOf(n.Func)
	case *ast.TableExpr:
		return "{"
	case *ast.FunctionExpr:
		return "function"
	case *ast.TrueExpr:
		return "true"
	case *ast.FalseExpr:
		return "false"
	case *ast.NilExpr:
		return "nil"
	case *ast.UnaryNotOpExpr:
		return "not"
	case *ast.UnaryMinusOpExpr:
		return "-"
	case *ast.UnaryLenOpExpr:
		return "#"
	case *ast.LogicalOpExpr:
		return wordOf(n.Lhs)
	case *ast.RelationalOpExpr:
		return wordOf(n.Lhs)
	case *ast.StringConcatOpExpr:
		return wordOf(n.Lhs)
	case *ast.ArithmeticOpExpr:
		return wordOf(n.Lhs)
	}
	return ""
}
