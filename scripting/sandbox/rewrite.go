package sandbox

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// A rewriter turns a checked tree into one that calls a hidden function wherever gopher-lua would
// allocate without bound, write to a table or write to a global. What remains for the machine:
//
//   - reading variables, fields and globals, and calls: bounded by the stack and by maxValues, and
//     weighed (weight.go);
//   - arithmetic: numbers only, since strings have metamethods of ours (operators.go);
//   - == and ~=, whose weight is that of the strings (weight.go), and comparisons with a literal
//     number;
//   - constructors, whose fields are new, with computed keys checked before (construct.go);
//   - local variables, control flow, and "..." for one value.
//
// The rewriting preserves the meaning: it evaluates every expression once and in the same order,
// and each node keeps its line. Tests compare programs, also random ones, with the unchanged tree
// (rewrite_test.go).
type rewriter struct {
	globals map[*ast.IdentExpr]bool   // from the checker
	hoisted map[*ast.TableExpr]string // from the checker
}

// rewrite returns a chunk that takes the hidden functions in their order and returns the script's
// main function. It changes the tree of the script in place.
//
// Its first statement declares the hidden functions as local variables. The script's main function
// is inside their scope, so it captures those that it calls.
func rewrite(c *checker, chunk []ast.Stmt) []ast.Stmt {
	r := &rewriter{globals: c.globals, hoisted: c.hoisted}
	return chunkOf(r.statements(chunk))
}

// chunkOf returns the chunk around the rewritten statements of a script.
func chunkOf(statements []ast.Stmt) []ast.Stmt {
	main := &ast.FunctionExpr{ParList: &ast.ParList{}, Stmts: statements}
	dots, local, result := &ast.Comma3Expr{}, &ast.LocalAssignStmt{}, &ast.ReturnStmt{Exprs: []ast.Expr{main}}
	for _, h := range hidden {
		local.Names = append(local.Names, h.name)
	}
	local.Exprs = []ast.Expr{dots}
	setLine(1, main, dots, local, result)
	main.SetLastLine(lastLine(statements))
	return []ast.Stmt{local, result}
}

// lastLine returns the last line of the chunk, for messages about its end.
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

// local rewrites a declaration. A single function must stay bare: gopher-lua lets it call itself
// only when the value is a function and no call. So it is charged by a statement of its own behind
// it.
func (r *rewriter) local(stmt *ast.LocalAssignStmt) []ast.Stmt {
	if !isLocalFunction(stmt) {
		r.list(stmt.Exprs)
		return []ast.Stmt{stmt}
	}
	r.body(stmt.Exprs[0].(*ast.FunctionExpr))
	return []ast.Stmt{stmt, callStmt(stmt.Line(), hiddenFunc, ident(stmt.Line(), stmt.Names[0]))}
}

// definition rewrites "function f()" to an assignment, and "function t:m()" to a call that sets the
// field. The second gets its parameter self here, as the compiler would add it.
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

// assignment rewrites an assignment. One target and one value need no variables in between, except
// for a value with and or or: see several.
func (r *rewriter) assignment(stmt *ast.AssignStmt) ast.Stmt {
	if len(stmt.Lhs) != 1 || len(stmt.Rhs) != 1 {
		return r.several(stmt)
	}
	if _, logic := stmt.Rhs[0].(*ast.LogicalOpExpr); logic {
		return r.several(stmt)
	}
	return r.store(stmt.Lhs[0], r.single(stmt.Rhs[0]), r.expression)
}

// several rewrites t[k], v = x, y to a block:
//
//	do
//	  local 0, 1 = t, k    -- all tables and keys, unless they are constants
//	  local =0, =1 = x, y  -- all values
//	  v = =1               -- from the last to the first, as gopher-lua does
//	  set(0, 1, =0)
//	end
//
// The names begin with a zero byte, as those of the hidden functions do. Local variables take this
// way too, because gopher-lua compiles their assignments wrongly (compileAssignStmt): of a, b = b,
// a it makes two copies of one value, and a = f() and (g() and h()) may leave a as it was.
func (r *rewriter) several(stmt *ast.AssignStmt) ast.Stmt {
	line := stmt.Line()
	before := &ast.LocalAssignStmt{}
	values := &ast.LocalAssignStmt{Exprs: r.list(stmt.Rhs)}
	var stores []ast.Stmt
	operand := func(e ast.Expr) ast.Expr {
		if _, ok := e.(ast.ConstExpr); ok {
			return r.expression(e)
		}
		before.Names = append(before.Names, "\x00"+strconv.Itoa(len(before.Names)))
		before.Exprs = append(before.Exprs, r.single(e))
		return ident(e.Line(), before.Names[len(before.Names)-1])
	}
	for i, target := range stmt.Lhs {
		values.Names = append(values.Names, "\x00="+strconv.Itoa(i))
		stores = append([]ast.Stmt{r.store(target, ident(target.Line(), values.Names[i]), operand)}, stores...)
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

// store returns the statement that assigns one value to one target. The target's table and key pass
// through operand, which rewrites them or evaluates them before.
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
		// An assignment to one variable takes one value in any case. With AdjustRet gopher-lua
		// compiles p = (f(p)) so that the function overwrites its own argument.
		fn.AdjustRet = false
	}
	assign := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
	assign.SetLine(line)
	return assign
}
