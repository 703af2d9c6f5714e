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
	Value string // that it is compared with, as a script writes it; "" for a table
	Table string // that it is looked up in; "" for a value
	Equal bool   // whether sources are turned away by == or by what the table has, else by ~= or not
}

// findDenials collects the places of [DenialSite] from the syntax tree of the
// script. A function that asks anywhere whether the field is nil has none: its
// author knows.
func (s *Script) findDenials(chunk []ast.Stmt) {
	f := &denials{script: s, judged: map[ast.Expr]bool{}}
	for _, statement := range chunk {
		walk(statement, f.visit)
	}
}

type denials struct {
	script    *Script
	functions []*function
	locals    *locals // of the outermost function
	// judged are parts of a test that was judged as a whole.
	judged map[ast.Expr]bool
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
		if returnsFalse(n.Then) {
			f.refusing(n.Condition, false, !returnsFalse(n.Else))
		}
	case *ast.UnaryNotOpExpr:
		f.asks(n.Expr)
		if !f.judged[n] {
			f.passing(n, false)
		}
	case *ast.LogicalOpExpr:
		f.asks(n.Lhs)
		f.asks(n.Rhs)
	case *ast.RelationalOpExpr:
		if !f.judged[n] {
			f.passing(n, false)
		}
		f.comparedWithNil(n)
	}
	descend()
}

// enter walks a function, and keeps what it found when nothing in it asks for
// nil.
func (f *denials) enter(n *ast.FunctionExpr, descend func()) {
	inner := &function{parameters: n.ParList.Names}
	if len(f.functions) == 0 {
		f.locals = localsOf(n)
	}
	f.functions = append(f.functions, inner)
	descend()
	f.functions = f.functions[:len(f.functions)-1]
	for _, site := range inner.found {
		if !slices.Contains(inner.asked, site.Field) {
			f.script.Denials = append(f.script.Denials, site)
		}
	}
}

// refusing judges the condition, or a part of it, of a statement such as
// if attempt.country == "RU" then return false end. What is true when nothing is
// known turns those sources away too. What is false then lets them pass when it
// stands alone or between or. Within and it is only a part of the reason.
func (f *denials) refusing(expr ast.Expr, negated, alone bool) {
	f.judged[expr] = true
	switch n := expr.(type) {
	case *ast.UnaryNotOpExpr:
		f.refusing(n.Expr, !negated, alone)
	case *ast.LogicalOpExpr:
		alone = alone && (n.Operator == "or") != negated
		f.refusing(n.Lhs, negated, alone)
		f.refusing(n.Rhs, negated, alone)
	default:
		if site, ok := f.site(expr, negated); ok && alone && site.Equal {
			f.found(site)
		}
	}
}

// passing judges any other test. It lets sources pass when it is true.
func (f *denials) passing(expr ast.Expr, negated bool) {
	f.judged[expr] = true
	switch n := expr.(type) {
	case *ast.UnaryNotOpExpr:
		f.passing(n.Expr, !negated)
	case *ast.LogicalOpExpr:
		f.passing(n.Lhs, negated)
		f.passing(n.Rhs, negated)
	default:
		if site, ok := f.site(expr, negated); ok && !site.Equal {
			f.found(site)
		}
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

func (f *denials) found(site DenialSite) {
	inner := f.functions[len(f.functions)-1]
	inner.found = append(inner.found, site)
}

// site reads a comparison of a field with a literal, or a look at what a table
// has for the field. False: it is neither.
func (f *denials) site(expr ast.Expr, negated bool) (DenialSite, bool) {
	comparison, ok := expr.(*ast.RelationalOpExpr)
	if !ok {
		return f.lookup(expr, !negated)
	}
	equal := (comparison.Operator == "==") != negated
	if comparison.Operator != "==" && comparison.Operator != "~=" {
		return DenialSite{}, false
	}
	one, other := comparison.Lhs, comparison.Rhs
	if isLiteral(one) {
		one, other = other, one
	}
	value := ""
	switch literal := other.(type) {
	case *ast.StringExpr:
		value = `"` + literal.Value + `"`
	case *ast.NumberExpr:
		value = literal.Value
	case *ast.TrueExpr:
		return f.lookup(one, equal)
	case *ast.NilExpr:
		return f.lookup(one, !equal)
	}
	site := DenialSite{Place: f.script.At(comparison.Lhs, 0), Field: f.field(one), Value: value, Equal: equal}
	return site, site.Field != "" && value != ""
}

// isLiteral reports whether an expression is a literal other than a table.
func isLiteral(expr ast.Expr) bool {
	_, literal := expr.(ast.ConstExpr)
	return literal
}

// lookup reads blocked[attempt.country]. A table that the function fills is a
// memory and no list of countries.
func (f *denials) lookup(expr ast.Expr, equal bool) (DenialSite, bool) {
	get, ok := expr.(*ast.AttrGetExpr)
	if !ok {
		return DenialSite{}, false
	}
	site := DenialSite{Place: f.script.At(get, 0), Field: f.field(get.Key), Table: lastName(get.Object), Equal: equal}
	return site, site.Field != "" && site.Table != "" && !f.locals.filled[site.Table]
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

// field returns "attempt.country" for the field of a parameter, and for a local
// variable that has its value; "" for another expression.
func (f *denials) field(expr ast.Expr) string {
	if variable, ok := expr.(*ast.IdentExpr); ok && f.locals != nil {
		expr = f.locals.value(variable.Value)
	}
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
