package sandbox

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// A rewriter turns a checked tree into one that calls the host wherever the Lua machine allocates
// without bound or writes. It evaluates everything in the same order, once, and keeps the lines.
type rewriter struct {
	globals map[*ast.IdentExpr]bool
}

// rewrite returns the chunk that, given the hidden functions in their order, returns the script's
// main function.
func rewrite(c *checker, chunk []ast.Stmt) []ast.Stmt {
	r := &rewriter{globals: c.globals}
	main := &ast.FunctionExpr{ParList: &ast.ParList{}, Stmts: r.statements(chunk)}
	dots, local, result := &ast.Comma3Expr{}, &ast.LocalAssignStmt{}, &ast.ReturnStmt{Exprs: []ast.Expr{main}}
	for _, h := range hidden {
		local.Names = append(local.Names, h.name)
	}
	local.Exprs = []ast.Expr{dots}
	setLine(1, main, dots, local, result)
	main.SetLastLine(lastLine(chunk))
	return []ast.Stmt{local, result}
}

func lastLine(chunk []ast.Stmt) int {
	if len(chunk) == 0 {
		return 1
	}
	last := chunk[len(chunk)-1]
	return max(last.Line(), last.LastLine())
}

func (r *rewriter) statements(body []ast.Stmt) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(body))
	for _, stmt := range body {
		out = append(out, r.statement(stmt)...)
	}
	return out
}

func (r *rewriter) statement(stmt ast.Stmt) []ast.Stmt {
	switch stmt := stmt.(type) {
	case *ast.LocalAssignStmt:
		return r.local(stmt)
	case *ast.AssignStmt:
		return []ast.Stmt{r.assignment(stmt)}
	case *ast.FuncDefStmt:
		return []ast.Stmt{r.definition(stmt)}
	case *ast.FuncCallStmt:
		stmt.Expr = r.expression(stmt.Expr)
	case *ast.ReturnStmt:
		r.list(stmt.Exprs)
	case *ast.DoBlockStmt:
		stmt.Stmts = r.statements(stmt.Stmts)
	case *ast.WhileStmt:
		stmt.Condition = r.expression(stmt.Condition)
		stmt.Stmts = r.statements(stmt.Stmts)
	case *ast.RepeatStmt:
		stmt.Stmts = r.statements(stmt.Stmts)
		stmt.Condition = r.expression(stmt.Condition)
	case *ast.IfStmt:
		stmt.Condition = r.expression(stmt.Condition)
		stmt.Then = r.statements(stmt.Then)
		stmt.Else = r.statements(stmt.Else)
	case *ast.NumberForStmt:
		stmt.Init, stmt.Limit = r.expression(stmt.Init), r.expression(stmt.Limit)
		if stmt.Step != nil {
			stmt.Step = r.expression(stmt.Step)
		}
		stmt.Stmts = r.statements(stmt.Stmts)
	case *ast.GenericForStmt:
		r.list(stmt.Exprs)
		stmt.Stmts = r.statements(stmt.Stmts)
	}
	return []ast.Stmt{stmt}
}

// local leaves a single function bare, because it may call itself only so, and charges for it afterwards.
func (r *rewriter) local(stmt *ast.LocalAssignStmt) []ast.Stmt {
	if !isLocalFunction(stmt) {
		r.list(stmt.Exprs)
		return []ast.Stmt{stmt}
	}
	r.body(stmt.Exprs[0].(*ast.FunctionExpr))
	return []ast.Stmt{stmt, callStmt(stmt.Line(), hiddenFunc, ident(stmt.Line(), stmt.Names[0]))}
}

func (r *rewriter) definition(stmt *ast.FuncDefStmt) ast.Stmt {
	line := stmt.Line()
	if stmt.Name.Func != nil {
		assign := &ast.AssignStmt{Lhs: []ast.Expr{stmt.Name.Func}, Rhs: []ast.Expr{stmt.Func}}
		assign.SetLine(line)
		return r.assignment(assign)
	}
	list := *stmt.Func.ParList
	list.Names = append([]string{"self"}, list.Names...)
	stmt.Func.ParList = &list
	return callStmt(line, hiddenSet, r.expression(stmt.Name.Receiver), text(line, stmt.Name.Method), r.expression(stmt.Func))
}

func (r *rewriter) assignment(stmt *ast.AssignStmt) ast.Stmt {
	if len(stmt.Lhs) != 1 || len(stmt.Rhs) != 1 {
		return r.several(stmt)
	}
	if _, logic := stmt.Rhs[0].(*ast.LogicalOpExpr); logic {
		return r.several(stmt)
	}
	return r.store(stmt.Lhs[0], r.single(stmt.Rhs[0]), r.expression)
}

// several evaluates, in a block of its own, all tables and keys, then all values, and then stores
// from the last to the first. It serves local variables too, for the machine compiles their
// assignments wrongly: of a, b = b, a it makes two copies of one value, and a = f() and (g() and
// h()) may leave a as it was.
func (r *rewriter) several(stmt *ast.AssignStmt) ast.Stmt {
	line := stmt.Line()
	before := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: r.list(stmt.Rhs)}
	var stores []ast.Stmt
	keep := func(e ast.Expr) ast.Expr {
		if _, ok := e.(ast.ConstExpr); ok {
			return r.expression(e)
		}
		before.Names = append(before.Names, "\x00"+strconv.Itoa(len(before.Names)))
		before.Exprs = append(before.Exprs, r.single(e))
		return ident(e.Line(), before.Names[len(before.Names)-1])
	}
	for i, target := range stmt.Lhs {
		values.Names = append(values.Names, "\x00="+strconv.Itoa(i))
		stores = append([]ast.Stmt{r.store(target, ident(target.Line(), values.Names[i]), keep)}, stores...)
	}
	block := &ast.DoBlockStmt{}
	if len(before.Names) > 0 {
		block.Stmts = append(block.Stmts, before)
	}
	block.Stmts = append(append(block.Stmts, values), stores...)
	setLine(line, before, values, block)
	block.SetLastLine(line)
	return block
}

// store assigns one value to one target, whose table and key pass through operand.
func (r *rewriter) store(target, value ast.Expr, operand func(ast.Expr) ast.Expr) ast.Stmt {
	line := target.Line()
	if field, ok := target.(*ast.AttrGetExpr); ok {
		object := operand(field.Object)
		return callStmt(line, hiddenSet, object, operand(field.Key), value)
	}
	variable := target.(*ast.IdentExpr)
	if r.globals[variable] {
		return callStmt(line, hiddenGlobal, text(line, variable.Value), value)
	}
	if fn, ok := value.(*ast.FuncCallExpr); ok {
		fn.AdjustRet = false // one value all the same; with it the machine puts the function over its argument in p = (f(p))
	}
	assign := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
	assign.SetLine(line)
	return assign
}
