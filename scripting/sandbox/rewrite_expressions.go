package sandbox

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

func (r *rewriter) list(list []ast.Expr) []ast.Expr {
	for i, e := range list {
		list[i] = r.expression(e)
	}
	return list
}

// single rewrites an expression of which only the first value counts.
func (r *rewriter) single(e ast.Expr) ast.Expr {
	e = r.expression(e)
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}

func (r *rewriter) expression(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.NumberExpr:
		if f, ok := parseNumber(e.Value); ok {
			e.Value = strconv.FormatFloat(f, 'g', -1, 64)
		}
	case *ast.Comma3Expr:
		return r.dots(e)
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expression(e.Object), r.expression(e.Key)
	case *ast.TableExpr:
		return r.table(e)
	case *ast.FunctionExpr:
		return call(e.Line(), hiddenFunc, r.body(e))
	case *ast.FuncCallExpr:
		r.call(e)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expression(e.Lhs), r.expression(e.Rhs)
	case *ast.RelationalOpExpr:
		return r.relation(e)
	case *ast.StringConcatOpExpr:
		return call(e.Line(), hiddenConcat, r.operands(e)...)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expression(e.Lhs), r.expression(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expression(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expression(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expression(e.Expr)
	}
	return e
}

// call hides an empty field name, which the machine's trace of the stack cannot show.
func (r *rewriter) call(e *ast.FuncCallExpr) {
	if e.Func == nil {
		e.Receiver = r.expression(e.Receiver)
	} else {
		e.Func = r.expression(e.Func)
	}
	if field, ok := e.Func.(*ast.AttrGetExpr); ok {
		if key, ok := field.Key.(*ast.StringExpr); ok && key.Value == "" {
			field.Key = call(e.Line(), hiddenConcat, key)
		}
	}
	r.list(e.Args)
}

// body rewrites a function in place. One that takes "..." without using it would get Lua 5.0's
// table of its arguments: a use of them, for one value, prevents that.
func (r *rewriter) body(fn *ast.FunctionExpr) *ast.FunctionExpr {
	fn.Stmts = r.statements(fn.Stmts)
	if fn.ParList.HasVargs {
		use, local, block := &ast.Comma3Expr{AdjustRet: true}, &ast.LocalAssignStmt{Names: []string{"\x00"}}, &ast.DoBlockStmt{}
		local.Exprs, block.Stmts = []ast.Expr{use}, []ast.Stmt{local}
		setLine(fn.Line(), use, local, block)
		fn.Stmts = append([]ast.Stmt{block}, fn.Stmts...)
	}
	return fn
}

// dots lets all values of "..." pass through the host; for one value the machine's own instruction
// is bounded.
func (r *rewriter) dots(e *ast.Comma3Expr) ast.Expr {
	if e.AdjustRet {
		return e
	}
	all := call(e.Line(), hiddenArgs, e)
	all.AdjustRet = false
	return all
}

// operands returns what a chain of concatenations joins; the operator binds to the right.
func (r *rewriter) operands(e *ast.StringConcatOpExpr) []ast.Expr {
	args := []ast.Expr{r.single(e.Lhs)}
	if rest, ok := e.Rhs.(*ast.StringConcatOpExpr); ok {
		return append(args, r.operands(rest)...)
	}
	return append(args, r.single(e.Rhs))
}

// relation leaves comparisons with a number to the machine: only long strings take long to compare.
func (r *rewriter) relation(e *ast.RelationalOpExpr) ast.Expr {
	native := e.Operator == "==" || e.Operator == "~=" || isNumeric(e.Lhs) || isNumeric(e.Rhs)
	if native {
		e.Lhs, e.Rhs = r.expression(e.Lhs), r.expression(e.Rhs)
		return e
	}
	return call(e.Line(), hiddenCompare, text(e.Line(), e.Operator), r.single(e.Lhs), r.single(e.Rhs))
}

// isNumeric reports whether an expression is a number, or an error.
func isNumeric(e ast.Expr) bool {
	_, ok := e.(*ast.NumberExpr)
	return ok
}

func (r *rewriter) table(e *ast.TableExpr) ast.Expr {
	for i, field := range e.Fields {
		if field.Key == nil {
			if i == len(e.Fields)-1 {
				field.Value = r.expression(field.Value)
			} else {
				field.Value = r.single(field.Value)
			}
			continue
		}
		if _, isConstant := field.Key.(*ast.StringExpr); !isConstant {
			field.Key = call(e.Line(), hiddenKey, r.single(field.Key), number(e.Line(), i))
		}
		field.Value = r.single(field.Value)
	}
	return call(e.Line(), hiddenTable, e)
}

// setLine gives new nodes a line: gopher-lua writes it into messages and traces.
func setLine(line int, nodes ...ast.PositionHolder) {
	for _, node := range nodes {
		node.SetLine(line)
	}
}

func call(line int, name string, args ...ast.Expr) *ast.FuncCallExpr {
	e := &ast.FuncCallExpr{Func: ident(line, name), Args: args, AdjustRet: true}
	e.SetLine(line)
	return e
}

func callStmt(line int, name string, args ...ast.Expr) ast.Stmt {
	for i, arg := range args {
		if e, ok := arg.(*ast.FuncCallExpr); ok {
			e.AdjustRet = true
			args[i] = e
		}
	}
	stmt := &ast.FuncCallStmt{Expr: call(line, name, args...)}
	stmt.SetLine(line)
	return stmt
}

func ident(line int, name string) *ast.IdentExpr {
	e := &ast.IdentExpr{Value: name}
	e.SetLine(line)
	return e
}

func text(line int, value string) *ast.StringExpr {
	e := &ast.StringExpr{Value: value}
	e.SetLine(line)
	return e
}

func number(line, value int) *ast.NumberExpr {
	e := &ast.NumberExpr{Value: strconv.Itoa(value)}
	e.SetLine(line)
	return e
}
