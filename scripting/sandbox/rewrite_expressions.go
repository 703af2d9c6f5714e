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

// single rewrites an expression of which only the first value counts. As an argument of a hidden
// function it would otherwise pass on all its values.
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

// expression rewrites an expression and returns what takes its place. Kinds that are not named
// here, such as constants and names, stay.
func (r *rewriter) expression(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.NumberExpr:
		if f, ok := parseNumber(e.Value); ok {
			e.Value = strconv.FormatFloat(f, 'g', -1, 64) // gopher-lua would read 010 as eight
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

// call rewrites a call. It hides an empty name of a field: for t[""]() the trace of the stack looks
// at the first byte of the name and panics (LState.formattedFrameFuncName).
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

// body rewrites a function in place. A function that takes "..." without using it gets Lua 5.0's
// table of its arguments in gopher-lua (VarArgNeedsArg), which is an allocation that nobody
// charges. The compiler leaves it out when "..." is used, so a block "do local _ = (...) end" is
// put first.
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

// dots rewrites "...", so that all its values pass through a hidden function, which charges and
// bounds them. For one value, as in (...), the instruction itself is bounded.
func (r *rewriter) dots(e *ast.Comma3Expr) ast.Expr {
	if e.AdjustRet {
		return e
	}
	all := call(e.Line(), hiddenArgs, e)
	all.AdjustRet = false
	return all
}

// operands returns the operands of a chain of concatenations. The operator binds to the right, so
// the chain is one call instead of one for each operator, and makes one string.
func (r *rewriter) operands(e *ast.StringConcatOpExpr) []ast.Expr {
	args := []ast.Expr{r.single(e.Lhs)}
	if rest, ok := e.Rhs.(*ast.StringConcatOpExpr); ok {
		return append(args, r.operands(rest)...)
	}
	return append(args, r.single(e.Rhs))
}

// relation rewrites <, <=, > and >=, which compare long strings in one instruction (strCmp). A
// comparison with a literal number is left to the machine: it compares numbers or fails.
func (r *rewriter) relation(e *ast.RelationalOpExpr) ast.Expr {
	native := e.Operator == "==" || e.Operator == "~=" || isNumeric(e.Lhs) || isNumeric(e.Rhs)
	if native {
		e.Lhs, e.Rhs = r.expression(e.Lhs), r.expression(e.Rhs)
		return e
	}
	return call(e.Line(), hiddenCompare, text(e.Line(), e.Operator), r.single(e.Lhs), r.single(e.Rhs))
}

// isNumeric reports whether an expression is a literal number.
func isNumeric(e ast.Expr) bool {
	_, ok := e.(*ast.NumberExpr)
	return ok
}

// table rewrites a constructor. Its values are stored by the machine, which is bounded for
// positions and constant names. A computed key passes through a hidden function with the number of
// fields before it, and the result is charged. Only the last field may give more than one value.
func (r *rewriter) table(e *ast.TableExpr) ast.Expr {
	if name, ok := r.hoisted[e]; ok {
		return call(e.Line(), hiddenConstants, text(e.Line(), name))
	}
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

// call returns a call of a hidden function for one value.
func call(line int, name string, args ...ast.Expr) *ast.FuncCallExpr {
	e := &ast.FuncCallExpr{Func: ident(line, name), Args: args, AdjustRet: true}
	e.SetLine(line)
	return e
}

// callStmt returns a call of a hidden function as a statement. Its arguments give one value each.
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
