package sandbox

import (
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// minHoisted is how many items and fields a constructor of constants has, with those of the tables
// in it, to be hoisted: to be made once by Compile, and copied where it stands. Smaller ones are
// compiled, and cost what they always did. An instruction can name 256 constants without loading
// them first.
const minHoisted = 256

// hoist makes the table of a constructor, when it is a large one of constants alone. The program
// keeps the table, and the rewriter puts a call of a hidden function in its place.
func (c *checker) hoist(e *ast.TableExpr) bool {
	if n, ok := countConstants(e); !ok || n < minHoisted {
		return false
	}
	before := c.maker.cost
	table, ok := c.maker.constructor(e)
	if !ok {
		c.maker.open = nil
		return false
	}
	c.hoisted[e] = c.p.keep(constants{table, c.maker.cost.without(before)})
	return true
}

// countConstants counts the items and fields of a constructor and of the constructors in it. False:
// there is something else than constants.
func countConstants(e *ast.TableExpr) (n int, ok bool) {
	n = len(e.Fields)
	for _, field := range e.Fields {
		if _, isTable := field.Key.(*ast.TableExpr); isTable || field.Key != nil && !isConstant(field.Key) {
			return 0, false
		}
		if inner, isTable := field.Value.(*ast.TableExpr); isTable {
			more, ok := countConstants(inner)
			if !ok {
				return 0, false
			}
			n += more
		} else if !isConstant(field.Value) {
			return 0, false
		}
	}
	return n, true
}

func isConstant(e ast.Expr) bool {
	_, ok := constantOf(e)
	return ok
}

// constantOf returns the value of a literal, or of a number with a minus before it.
func constantOf(e ast.Expr) (lua.LValue, bool) {
	switch e := e.(type) {
	case *ast.NilExpr:
		return lua.LNil, true
	case *ast.TrueExpr:
		return lua.LTrue, true
	case *ast.FalseExpr:
		return lua.LFalse, true
	case *ast.StringExpr:
		return lua.LString(e.Value), true
	case *ast.NumberExpr:
		f, ok := parseNumber(e.Value)
		return lua.LNumber(f), ok
	case *ast.UnaryMinusOpExpr:
		if number, ok := e.Expr.(*ast.NumberExpr); ok {
			f, ok := parseNumber(number.Value)
			return lua.LNumber(-f), ok
		}
	}
	return nil, false
}

// constructor makes the table of a constructor that countConstants has accepted. It recurses as
// deep as brackets nest, at most maxNesting. It refuses what copied cannot copy: a key that a
// later field takes away again.
func (m *maker) constructor(e *ast.TableExpr) (*lua.LTable, bool) {
	m.begin()
	for _, field := range e.Fields {
		var value lua.LValue
		ok := true
		if inner, isTable := field.Value.(*ast.TableExpr); isTable {
			value, ok = m.constructor(inner)
		} else {
			value, _ = constantOf(field.Value)
		}
		if !ok || m.add(field.Key, value) != nil {
			return nil, false
		}
	}
	table, err := m.end()
	if err != nil {
		return nil, false
	}
	_, gone := keyCounts(table)
	return table, gone == 0
}

func (m *maker) add(key ast.Expr, value lua.LValue) error {
	if key == nil {
		return m.item(value)
	}
	k, _ := constantOf(key)
	return m.field(k, value)
}
