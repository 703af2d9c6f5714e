package sandbox

import (
	"math"

	"github.com/yuin/gopher-lua/ast"
)

func (c *checker) expressions(list []ast.Expr) {
	for _, e := range list {
		c.expression(e)
	}
}

// expression walks an expression. Unknown kinds, true, false, nil and "..." have nothing to check.
func (c *checker) expression(e ast.Expr) {
	if !c.deeper(e.Line()) {
		return
	}
	defer func() { c.depth-- }()
	switch e := e.(type) {
	case *ast.StringExpr:
		c.constant(e.Line(), e.Value)
	case *ast.NumberExpr:
		c.number(e)
	case *ast.IdentExpr:
		c.read(e)
	case *ast.AttrGetExpr:
		c.field(e)
	case *ast.TableExpr:
		c.table(e)
	case *ast.FunctionExpr:
		c.function(e.ParList.Names, e.ParList.HasVargs, e.Stmts)
	case *ast.FuncCallExpr:
		c.call(e)
	case *ast.LogicalOpExpr:
		c.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.RelationalOpExpr:
		c.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.StringConcatOpExpr:
		c.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.ArithmeticOpExpr:
		c.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.UnaryMinusOpExpr:
		c.expression(e.Expr)
	case *ast.UnaryNotOpExpr:
		c.expression(e.Expr)
	case *ast.UnaryLenOpExpr:
		c.expression(e.Expr)
	}
}

// number refuses a number that is none. gopher-lua would compile it as not-a-number (lnumberValue
// in compile.go).
func (c *checker) number(e *ast.NumberExpr) {
	f, ok := parseNumber(e.Value)
	if !ok {
		c.fail(e.Line(), "malformed number %q", e.Value)
	}
	c.constant(e.Line(), math.Float64bits(f))
}

// read records the use of a variable when it is a global.
func (c *checker) read(e *ast.IdentExpr) {
	if c.owner(e.Line(), e.Value) == nil {
		c.readGlobal(e, "")
	}
}

// readGlobal records the use of a global. The field is the name that is taken from it at once, as
// time in os.time, or "": the message for what is absent depends on both.
func (c *checker) readGlobal(e *ast.IdentExpr, field string) {
	c.globals[e] = true
	c.constant(e.Line(), e.Value)
	if message := absentMessage(e.Value, field); message != "" {
		c.absent = append(c.absent, absence{e.Line(), e.Value, message})
	}
	if line, ok := c.used[e.Value]; !ok || e.Line() < line {
		c.used[e.Value] = e.Line()
	}
}

// field walks t.k or t[k].
func (c *checker) field(e *ast.AttrGetExpr) {
	library, isName := e.Object.(*ast.IdentExpr)
	key, isConstant := e.Key.(*ast.StringExpr)
	if isName && isConstant && c.owner(library.Line(), library.Value) == nil {
		c.readGlobal(library, key.Value)
	} else {
		c.expression(e.Object)
	}
	c.expression(e.Key)
}

// call walks f(...) or t:m(...).
func (c *checker) call(e *ast.FuncCallExpr) {
	if e.Func != nil {
		c.expression(e.Func)
	} else {
		c.expression(e.Receiver)
		c.constant(e.Line(), e.Method)
	}
	c.expressions(e.Args)
}

// table walks a constructor, unless it is hoisted or has too many fields.
func (c *checker) table(e *ast.TableExpr) {
	if c.hoist(e) {
		return
	}
	if len(e.Fields) > maxItems {
		c.fail(e.Line(), "more than %d items in one constructor", maxItems)
		return
	}
	for _, field := range e.Fields {
		if field.Key != nil {
			c.expression(field.Key)
		}
		c.expression(field.Value)
	}
}

// An absence is the use of something that standard Lua has and scripts do not have.
type absence struct {
	line    int
	global  string
	message string
}
