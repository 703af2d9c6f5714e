package source

import (
	"github.com/yuin/gopher-lua/ast"
)

// A Layout holds the places of the entries of a table.
type Layout struct {
	Items  []Spot
	Fields map[string]Spot  // of a repeated key, the later one
	Keys   map[string]Place // the first of each
	Twice  []Repeat
}

// A Spot is an expression with its place.
type Spot struct {
	Expr ast.Expr
	At   Place
}

// A Repeat is a key that the table has already.
type Repeat struct {
	Name string
	At   Place
}

// Layout finds the entries of a table that begins at a place. It goes through
// the text once and in order, so that a word that occurs twice has two places.
// For an expression that is no table the layout is empty.
func (s *Script) Layout(expr ast.Expr, at Place) *Layout {
	l := &Layout{Fields: map[string]Spot{}, Keys: map[string]Place{}}
	table, ok := expr.(*ast.TableExpr)
	if !ok {
		return l
	}
	c := &cursor{script: s, line: at.Line, offset: at.Column - 1}
	c.take(table)
	for _, field := range table.Fields {
		key, named := field.Key.(*ast.StringExpr)
		if named {
			l.key(key.Value, c.take(key))
		} else if field.Key != nil {
			c.pass(field.Key)
		}
		spot := Spot{field.Value, c.peek(field.Value)}
		if named && !c.finds(field.Value) && spot.At.Line == l.Keys[key.Value].Line {
			spot.At = l.Keys[key.Value]
		}
		c.pass(field.Value)
		switch {
		case named:
			l.Fields[key.Value] = spot
		case field.Key == nil:
			l.Items = append(l.Items, spot)
		}
	}
	return l
}

func (l *Layout) key(name string, at Place) {
	if _, known := l.Keys[name]; known {
		l.Twice = append(l.Twice, Repeat{name, at})
		return
	}
	l.Keys[name] = at
}

// A cursor goes through the text of a script, since the parser reports lines
// alone.
type cursor struct {
	script *Script
	line   int
	offset int // in the line: the text before it was read
}

// finds reports whether the place of an expression is more than the begin of its line: the text may
// write a string in another way than its value, as ” and "\065" do.
func (c *cursor) finds(expr ast.Expr) bool {
	_, ok := c.script.find(expr.Line(), wordOf(expr), c.after(expr.Line()))
	return ok
}

// peek returns the place of an expression.
func (c *cursor) peek(expr ast.Expr) Place {
	return c.script.At(expr, c.after(expr.Line()))
}

func (c *cursor) after(line int) int {
	if line == c.line {
		return c.offset
	}
	return 0
}

// take returns the place of an expression, and moves behind the word with which
// it begins.
func (c *cursor) take(expr ast.Expr) Place {
	at, line, word := c.peek(expr), expr.Line(), wordOf(expr)
	if start, ok := c.script.find(line, word, c.after(line)); ok {
		c.line, c.offset = line, start+len(word)
	}
	return at
}

// pass moves behind an expression with all its parts.
func (c *cursor) pass(expr ast.Expr) {
	walk(expr, func(node any, descend func()) {
		switch node := node.(type) {
		case *ast.AttrGetExpr, *ast.FuncCallExpr, *ast.LogicalOpExpr, *ast.RelationalOpExpr, *ast.StringConcatOpExpr, *ast.ArithmeticOpExpr: // their words are those of what is in them
		case ast.Expr:
			c.take(node)
		}
		descend()
	})
}
