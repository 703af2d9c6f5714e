package source

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// A DenialSite is a place in a function that turns some sources away by what is
// known of them, and lets those pass of which nothing is known: the field is
// nil for them.
type DenialSite struct {
	Place
	Field string // "country", "asn" or "asn_name", with the name of its object: "attempt.country"
	Value string // that it is compared with, as a script writes it
	Equal bool   // whether sources are turned away by ==, else by ~= or not
}

// findDenials collects the places of [DenialSite] from the syntax tree of the
// script. A function that asks anywhere whether the field is nil has none: its
// author knows.
func (s *Script) findDenials(chunk []ast.Stmt) {
	f := &denials{script: s, harmless: map[ast.Expr]bool{}}
	for _, statement := range chunk {
		walk(statement, f.visit)
	}
}

type denials struct {
	script    *Script
	functions []*function
	// harmless are comparisons in a place where they turn away those of which
	// nothing is known, too.
	harmless map[ast.Expr]bool
}

// A function is one that contains the current node.
type function struct {
	parameters []string
	found      []DenialSite
	asked      []string // fields of which it asks whether they are nil
}

func (f *denials) visit(node any, descend func()) {
	switch n := node.(type) {
	case *ast.FunctionExpr:
		f.enter(n, descend)
		return
	case *ast.IfStmt:
		f.asks(n.Condition)
		f.branch(n)
	case *ast.UnaryNotOpExpr:
		f.asks(n.Expr)
		if comparison, ok := n.Expr.(*ast.RelationalOpExpr); ok && !f.harmless[n] {
			f.harmless[comparison] = true // it is another one with not
			if comparison.Operator == "==" {
				f.found(comparison, false)
			}
		}
	case *ast.LogicalOpExpr:
		f.asks(n.Lhs)
		f.asks(n.Rhs)
	case *ast.RelationalOpExpr:
		if n.Operator == "~=" && !f.harmless[n] {
			f.found(n, false)
		}
		f.comparedWithNil(n)
	}
	descend()
}

// enter walks a function, and keeps what it found when nothing in it asks for
// nil.
func (f *denials) enter(n *ast.FunctionExpr, descend func()) {
	inner := &function{parameters: n.ParList.Names}
	f.functions = append(f.functions, inner)
	descend()
	f.functions = f.functions[:len(f.functions)-1]
	for _, site := range inner.found {
		if !slices.Contains(inner.asked, site.Field) {
			f.script.Denials = append(f.script.Denials, site)
		}
	}
}

// branch looks at a statement such as if attempt.country == "RU" then return
// false end. With ~= or not it turns away those of which nothing is known.
func (f *denials) branch(n *ast.IfStmt) {
	if !returnsFalse(n.Then) {
		return
	}
	if comparison, ok := n.Condition.(*ast.RelationalOpExpr); ok && comparison.Operator == "==" {
		f.found(comparison, true)
	}
	f.harmless[n.Condition] = true
	if not, ok := n.Condition.(*ast.UnaryNotOpExpr); ok {
		f.harmless[not.Expr] = true
	}
}

func returnsFalse(block []ast.Stmt) bool {
	if len(block) == 0 {
		return false
	}
	statement, ok := block[len(block)-1].(*ast.ReturnStmt)
	if !ok || len(statement.Exprs) == 0 {
		return false
	}
	_, isFalse := statement.Exprs[0].(*ast.FalseExpr)
	return isFalse
}

// found adds a comparison of a field with a literal.
func (f *denials) found(n *ast.RelationalOpExpr, equal bool) {
	field, other := f.field(n.Lhs), n.Rhs
	if field == "" {
		field, other = f.field(n.Rhs), n.Lhs
	}
	value := ""
	switch literal := other.(type) {
	case *ast.StringExpr:
		value = `"` + literal.Value + `"`
	case *ast.NumberExpr:
		value = literal.Value
	}
	if field != "" && value != "" {
		inner := f.functions[len(f.functions)-1]
		inner.found = append(inner.found, DenialSite{f.script.At(n.Lhs, 0), field, value, equal})
	}
}

// asks notes an expression that is true or false by whether a field is nil.
func (f *denials) asks(expr ast.Expr) {
	if field := f.field(expr); field != "" {
		for _, function := range f.functions {
			function.asked = append(function.asked, field)
		}
	}
}

func (f *denials) comparedWithNil(n *ast.RelationalOpExpr) {
	if _, ok := n.Rhs.(*ast.NilExpr); ok {
		f.asks(n.Lhs)
	}
	if _, ok := n.Lhs.(*ast.NilExpr); ok {
		f.asks(n.Rhs)
	}
}

// field returns "attempt.country" for the field of a parameter; "" for another
// expression.
func (f *denials) field(expr ast.Expr) string {
	get, ok := expr.(*ast.AttrGetExpr)
	if !ok {
		return ""
	}
	object, ok := get.Object.(*ast.IdentExpr)
	name := lastName(get)
	if !ok || name != "country" && name != "asn" && name != "asn_name" {
		return ""
	}
	if !slices.ContainsFunc(f.functions, func(one *function) bool { return slices.Contains(one.parameters, object.Value) }) {
		return ""
	}
	return object.Value + "." + name
}
