package mistake

import (
	"github.com/yuin/gopher-lua/ast"
)

// raises reports whether statements may end with an error each time, so that nothing is returned
// from their end: a function that refuses may do so.
func (f *finder) raises(body []ast.Stmt, depth int) bool {
	if len(body) == 0 || depth > maxDepth || !f.step() {
		return false
	}
	switch last := body[len(body)-1].(type) {
	case *ast.DoBlockStmt:
		return f.raises(last.Stmts, depth+1)
	case *ast.IfStmt:
		return f.raises(last.Then, depth+1) && f.raises(last.Else, depth+1)
	case *ast.FuncCallStmt:
		call, ok := last.Expr.(*ast.FuncCallExpr)
		if !ok || call.Func == nil {
			return false
		}
		if e, isName := call.Func.(*ast.IdentExpr); isName && f.variables[e] == nil {
			return e.Value == "error" || e.Value == "assert"
		}
		for _, fn := range f.resolve(call.Func, 0) {
			if f.raises(fn.expr.Stmts, depth+1) {
				return true
			}
		}
	}
	return false
}
