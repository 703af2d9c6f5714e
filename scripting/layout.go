package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// A layout says where the entries of a table stand in the text.
type layout struct {
	items  []spot
	fields map[string]spot // of a key that stands twice, the later one
	keys   map[string]Place
	twice  []repeat
}

// A spot is an expression with its place.
type spot struct {
	expr ast.Expr
	at   Place
}

// A repeat is a key that a table has already.
type repeat struct {
	name string
	at   Place
}

// layout reads the text of a table once, from its brace on, so that what stands
// in it twice is found twice.
func (v value) layout() *layout {
	l := &layout{fields: map[string]spot{}, keys: map[string]Place{}}
	table, ok := v.expr.(*ast.TableExpr)
	if !ok {
		return l
	}
	c := &cursor{source: v.source, line: v.at.Line, offset: v.at.Column - 1}
	c.take(table)
	for _, field := range table.Fields {
		key, named := field.Key.(*ast.StringExpr)
		if named {
			l.key(key.Value, c.take(key))
		} else if field.Key != nil {
			c.pass(field.Key)
		}
		at := c.peek(field.Value)
		c.pass(field.Value)
		switch {
		case named:
			l.fields[key.Value] = spot{field.Value, at}
		case field.Key == nil:
			l.items = append(l.items, spot{field.Value, at})
		}
	}
	return l
}

func (l *layout) key(name string, at Place) {
	if _, known := l.keys[name]; known {
		l.twice = append(l.twice, repeat{name, at})
		return
	}
	l.keys[name] = at
}

// A cursor goes through the text of a script. The parser keeps lines alone.
type cursor struct {
	source *source
	line   int
	offset int // in the line: what is before it was passed
}

// peek returns where an expression stands.
func (c *cursor) peek(expr ast.Expr) Place {
	return c.source.at(expr, c.after(expr.Line()))
}

func (c *cursor) after(line int) int {
	if line == c.line {
		return c.offset
	}
	return 0
}

// take returns where an expression stands, and goes behind the word that it
// begins with.
func (c *cursor) take(expr ast.Expr) Place {
	at, line, word := c.peek(expr), expr.Line(), wordOf(expr)
	if start, ok := c.source.find(line, word, c.after(line)); ok {
		c.line, c.offset = line, start+len(word)
	}
	return at
}

// pass goes behind an expression with all that is in it.
func (c *cursor) pass(expr ast.Expr) {
	walk(expr, func(node any, descend func()) {
		switch node := node.(type) {
		case *ast.AttrGetExpr, *ast.FuncCallExpr: // their words are those of what is in them
		case ast.Expr:
			c.take(node)
		}
		descend()
	})
}

// item returns the i-th element of a list, counted from 0.
func (v value) item(text *layout, i int, element lua.LValue) value {
	child := value{lua: element, what: v.what, at: v.at, source: v.source, report: v.report}
	if i < len(text.items) {
		child.expr, child.at = text.items[i].expr, text.items[i].at
	}
	return child
}

// field returns what a table has under a name.
func (v value) field(text *layout, name string, element lua.LValue) value {
	child := value{lua: element, what: name, at: v.at, source: v.source, report: v.report}
	if found, ok := text.fields[name]; ok {
		child.expr, child.at = found.expr, found.at
	}
	return child
}

// repeated reports the keys that stand twice: Lua would keep the later one and
// say nothing.
func (v value) repeated(text *layout) {
	for _, key := range text.twice {
		v.report(key.at, fmt.Sprintf("%s stands twice in %s", key.name, v.what))
	}
}

// key returns where a table has a name as its key.
func (v value) key(text *layout, name string) Place {
	if at, ok := text.keys[name]; ok && at.Line > 0 {
		return at
	}
	return v.at
}
