package source

import (
	"github.com/yuin/gopher-lua/ast"
)

// walk calls visit with a node of a syntax tree. visit calls descend to walk
// the children of the node, in the order of the text.
func walk(node any, visit func(node any, descend func())) {
	visit(node, func() {
		for _, child := range children(node) {
			walk(child, visit)
		}
	})
}

// children returns the statements and expressions in a node. The name of a
// function in a statement such as function t.allow() end is not among them: it
// declares a field and does not use one.
func children(node any) []any {
	if statement, ok := node.(ast.Stmt); ok {
		return statementChildren(statement)
	}
	switch n := node.(type) {
	case *ast.AttrGetExpr:
		return []any{n.Object, n.Key}
	case *ast.TableExpr:
		var nodes []any
		for _, field := range n.Fields {
			if field.Key != nil {
				nodes = append(nodes, field.Key)
			}
			nodes = append(nodes, field.Value)
		}
		return nodes
	case *ast.FuncCallExpr:
		callee := n.Func
		if callee == nil {
			callee = n.Receiver
		}
		return append([]any{callee}, nodes(n.Args)...)
	case *ast.FunctionExpr:
		return nodes(n.Stmts)
	case *ast.LogicalOpExpr:
		return []any{n.Lhs, n.Rhs}
	case *ast.RelationalOpExpr:
		return []any{n.Lhs, n.Rhs}
	case *ast.StringConcatOpExpr:
		return []any{n.Lhs, n.Rhs}
	case *ast.ArithmeticOpExpr:
		return []any{n.Lhs, n.Rhs}
	case *ast.UnaryMinusOpExpr:
		return []any{n.Expr}
	case *ast.UnaryNotOpExpr:
		return []any{n.Expr}
	case *ast.UnaryLenOpExpr:
		return []any{n.Expr}
	}
	return nil
}

func statementChildren(statement ast.Stmt) []any {
	switch n := statement.(type) {
	case *ast.AssignStmt:
		return append(nodes(n.Lhs), nodes(n.Rhs)...)
	case *ast.LocalAssignStmt:
		return nodes(n.Exprs)
	case *ast.FuncCallStmt:
		return []any{n.Expr}
	case *ast.DoBlockStmt:
		return nodes(n.Stmts)
	case *ast.WhileStmt:
		return append([]any{n.Condition}, nodes(n.Stmts)...)
	case *ast.RepeatStmt:
		return append(nodes(n.Stmts), n.Condition)
	case *ast.IfStmt:
		return append(append([]any{n.Condition}, nodes(n.Then)...), nodes(n.Else)...)
	case *ast.NumberForStmt:
		head := []any{n.Init, n.Limit}
		if n.Step != nil {
			head = append(head, n.Step)
		}
		return append(head, nodes(n.Stmts)...)
	case *ast.GenericForStmt:
		return append(nodes(n.Exprs), nodes(n.Stmts)...)
	case *ast.FuncDefStmt:
		return []any{n.Func}
	case *ast.ReturnStmt:
		return nodes(n.Exprs)
	}
	return nil
}

func nodes[T any](list []T) []any {
	result := make([]any, len(list))
	for i, node := range list {
		result[i] = node
	}
	return result
}
