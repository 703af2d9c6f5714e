package mistake

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// This file finds conditions that are used as truth values. A condition is a value that Lua takes
// for true, whatever it would answer, so such a use can open a door for everybody.

// maxNamed bounds the conditions that a message names.
const maxNamed = 8

// A test is a place in the text where a value counts as a truth value.
type test struct {
	text *text
	fn   *function // in which it stands; nil: the top level
	expr ast.Expr  // a variable, a field or a call
	by   ast.Expr  // the and, or, not, == or ~= of which it is an operand; nil: a statement
}

// tested notes the values that decide whether e is true. The left operands of and and or, and the
// operand of not, are left to [text.operands]. As the left operand of or, e itself may be what is
// meant: in "user.limited and hours or nil" hours is a value and no test, so whole is false.
func (t *text) tested(e, by ast.Expr, whole bool) {
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		if t.seen[e] || !whole && e.Operator == "and" {
			return
		}
		t.seen[e] = true
		if left, nested := e.Lhs.(*ast.LogicalOpExpr); nested && whole {
			t.tested(left, by, true)
		}
		t.tested(e.Rhs, by, whole)
	case *ast.IdentExpr, *ast.AttrGetExpr, *ast.FuncCallExpr:
		t.tests = append(t.tests, test{t, t.fn, e, by})
	}
}

// operands notes the operands of an operator that count as truth values.
func (t *text) operands(e ast.Expr) {
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		t.above[e.Lhs] = e
		t.tested(e.Lhs, e, e.Operator == "and")
	case *ast.UnaryNotOpExpr:
		t.tested(e.Expr, e, true)
	case *ast.RelationalOpExpr:
		if e.Operator != "==" && e.Operator != "~=" {
			return
		}
		for _, side := range [][2]ast.Expr{{e.Lhs, e.Rhs}, {e.Rhs, e.Lhs}} {
			if isBool(side[1]) {
				t.tested(side[0], e, false)
			}
		}
	}
}

func isBool(e ast.Expr) bool {
	switch e.(type) {
	case *ast.TrueExpr, *ast.FalseExpr:
		return true
	}
	return false
}

// condition reports whether an expression is a condition, and whether it can be nothing else. A
// parameter is not followed: it may be left out, and then it is nil.
func (f *finder) condition(expr ast.Expr, depth int) (is, certain bool) {
	switch e := expr.(type) {
	case *ast.FuncCallExpr:
		return f.makes(e), true
	case *ast.IdentExpr:
		v := f.variables[e]
		if v == nil || v.assigned || v.init == nil || depth == maxDepth {
			return false, false
		}
		is, certain = f.condition(v.init, depth+1)
		return is, certain && depth == 0
	case *ast.AttrGetExpr:
		key, named := e.Key.(*ast.StringExpr)
		if !named || depth == maxDepth {
			return false, false
		}
		if values := f.fieldOf(e.Object, key.Value); len(values) == 1 && !f.sometimes[values[0]] {
			is, _ = f.condition(values[0], depth+1)
		}
	}
	return is, false
}

// makes reports whether a call is one that makes a condition, such as sesame.window { }.
func (f *finder) makes(call *ast.FuncCallExpr) bool {
	callee, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return false
	}
	member, _ := f.memberOf(callee)
	return member != nil && member.Condition
}

// truth reports a condition that is used as a truth value.
func (j *judge) truth(u test) {
	is, certain := j.condition(u.expr, 0)
	if !is || j.count[u.text.script.Path] >= maxMistakes {
		return
	}
	name := operand(u.expr, 0)
	asks := j.asks(u.fn, name)
	message := name + " is a condition, which is always true here: "
	switch by := u.by.(type) {
	case *ast.RelationalOpExpr:
		if u.fn == nil {
			return // it loads, and is false for everybody
		}
		message = name + " is a condition, which is never equal to a truth value: "
	case *ast.UnaryNotOpExpr:
		if asks == "" {
			j.operator(u, by, certain, "not makes false of a condition: write "+operand(by, 0))
			return
		}
	case *ast.LogicalOpExpr:
		if top := j.top(by); asks == "" && !constant(top.Rhs) {
			// A field may be nil at times, which or is for.
			if certain || by.Operator == "and" {
				j.operator(u, top, certain, by.Operator+" leaves only one of the conditions: write "+operand(top, 0))
			}
			return
		}
	}
	if asks == "" {
		message += "give it to when, or ask it in a function with "
		asks = j.asker() + name + ")"
	} else {
		message += "write "
	}
	j.wrongTest(u, certain, message+asks)
}

// operator reports an operator with conditions, once for all of its operands.
func (j *judge) operator(u test, by ast.Expr, certain bool, message string) {
	if !j.combined[u.by] && !j.combined[by] {
		j.combine(by)
		u.expr = by
		j.wrongTest(u, certain, message)
	}
}

// combine marks an operator, and those among its operands.
func (j *judge) combine(e ast.Expr) {
	if j.combined[e] {
		return
	}
	switch e := e.(type) {
	case *ast.LogicalOpExpr:
		j.combined[e] = true
		j.combine(e.Lhs)
		j.combine(e.Rhs)
	case *ast.UnaryNotOpExpr:
		j.combined[e] = true
		j.combine(e.Expr)
	}
}

func (j *judge) wrongTest(u test, certain bool, message string) {
	j.report(Mistake{u.text.script.At(u.expr, 0), message, certain})
}

// asks returns how a function asks a condition: "attempt:holds(lan)", by the name of its parameter;
// "": it is given nothing that can ask.
func (j *judge) asks(fn *function, condition string) string {
	for ; fn != nil; fn = fn.parent {
		for _, p := range fn.params {
			for _, c := range j.ofVariable(p) {
				if c.object.Members[j.api.Asks] != nil {
					return p.name + ":" + j.api.Asks + "(" + condition + ")"
				}
			}
		}
		for _, h := range fn.hooks {
			if gives := j.api.Objects[j.api.Hooks[h.hook].Gives]; len(fn.params) == 0 && gives.Members[j.api.Asks] != nil {
				return gives.Name + ":" + j.api.Asks + "(" + condition + ")"
			}
		}
	}
	return ""
}

// asker returns how the first object that can ask a condition does so: "attempt:holds(".
func (j *judge) asker() string {
	for _, h := range j.api.Hooks {
		if gives := j.api.Objects[h.Gives]; gives != nil && gives.Members[j.api.Asks] != nil {
			return gives.Name + ":" + j.api.Asks + "("
		}
	}
	return ""
}

// top returns the outermost operator of a chain that combines conditions, such as the second and of
// "a and b and c".
func (j *judge) top(e *ast.LogicalOpExpr) *ast.LogicalOpExpr {
	for range maxNamed {
		above := j.above[e]
		if above == nil || constant(above.Rhs) {
			break
		}
		if is, _ := j.condition(e.Rhs, 0); above.Operator != e.Operator && e.Operator == "and" && !is {
			break
		}
		e = above
	}
	return e
}

// constant reports whether an expression is a literal, which is no condition.
func constant(e ast.Expr) bool {
	_, isTable := e.(*ast.TableExpr)
	return isTable || Known(scalar(e))
}

// operand returns an expression as a message writes it. Operators between conditions are written as
// the API has them: "sesame.all { a, b }".
func operand(e ast.Expr, depth int) string {
	switch e := e.(type) {
	case *ast.IdentExpr, *ast.AttrGetExpr:
		return writtenAs(e, "...")
	case *ast.LogicalOpExpr:
		if depth < maxDepth {
			kind := map[string]string{"and": "all", "or": "any"}[e.Operator]
			return "sesame." + kind + " { " + operandsOf(e, e.Operator, depth) + " }"
		}
	case *ast.UnaryNotOpExpr:
		if depth < maxDepth {
			return "sesame.none { " + operandsOf(e.Expr, "or", depth) + " }"
		}
	case *ast.FuncCallExpr:
		if callee, ok := e.Func.(*ast.AttrGetExpr); ok {
			return writtenAs(callee, "...") + " { ... }"
		}
	}
	return "..."
}

// operandsOf returns the operands of a chain of one operator: "a, b, c".
func operandsOf(e ast.Expr, operator string, depth int) string {
	var list []string
	for len(list) < maxNamed {
		inner, ok := e.(*ast.LogicalOpExpr)
		if !ok || inner.Operator != operator {
			break
		}
		list = append(list, operand(inner.Rhs, depth+1))
		e = inner.Lhs
	}
	list = append(list, operand(e, depth+1))
	slices.Reverse(list)
	return strings.Join(list, ", ")
}

// answers reports a condition that a function returns as its answer.
func (j *judge) answers(fn *function, r returned) {
	last := r.Exprs[0]
	for {
		e, ok := last.(*ast.LogicalOpExpr)
		if !ok {
			break
		}
		last = e.Rhs
	}
	is, certain := j.condition(last, 0)
	if !is {
		return
	}
	for _, h := range fn.hooks {
		certain = certain && h.certain()
	}
	name := operand(last, 0)
	message := name + " is a condition, and no answer: return true, or false and a reason"
	if asks := j.asks(fn, name); asks != "" {
		message = name + " is a condition, and no answer: write return " + asks
	}
	j.wrongTest(test{text: fn.text, expr: last}, certain, message)
}
