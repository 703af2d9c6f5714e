package source

import "github.com/yuin/gopher-lua/ast"

// locals are the names in a function with all that is in it. A name that is
// declared twice may mean one variable or the other, and is not followed.
type locals struct {
	declared map[string]int
	assigned map[string]bool // after the declaration
	filled   map[string]bool // tables with t[key] = value
	values   map[string]ast.Expr
}

func localsOf(n *ast.FunctionExpr) *locals {
	l := &locals{map[string]int{}, map[string]bool{}, map[string]bool{}, map[string]ast.Expr{}}
	walk(n, l.visit)
	return l
}

func (l *locals) visit(node any, descend func()) {
	switch n := node.(type) {
	case *ast.FunctionExpr:
		l.declare(n.ParList.Names...)
	case *ast.NumberForStmt:
		l.declare(n.Name)
	case *ast.GenericForStmt:
		l.declare(n.Names...)
	case *ast.LocalAssignStmt:
		l.declare(n.Names...)
		for i, value := range n.Exprs[:min(len(n.Exprs), len(n.Names))] {
			l.values[n.Names[i]] = value
		}
	case *ast.AssignStmt:
		for _, target := range n.Lhs {
			l.assign(target)
		}
	case *ast.FuncDefStmt:
		l.assign(n.Name.Func)
	}
	descend()
}

func (l *locals) declare(names ...string) {
	for _, name := range names {
		l.declared[name]++
	}
}

func (l *locals) assign(target ast.Expr) {
	switch e := target.(type) {
	case *ast.IdentExpr:
		l.assigned[e.Value] = true
	case *ast.AttrGetExpr:
		l.filled[lastName(e.Object)] = true
	}
}

// value returns what a local variable has from its declaration on; nil when it
// may have another value.
func (l *locals) value(name string) ast.Expr {
	if l.declared[name] != 1 || l.assigned[name] {
		return nil
	}
	return l.values[name]
}
