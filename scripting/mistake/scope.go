package mistake

import (
	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/source"
)

// A variable is a local variable or a parameter.
type variable struct {
	name     string
	text     *text
	assigned bool     // after its declaration, so that its value is not known
	init     ast.Expr // of local x = init
	mentions int      // without assignments
	hooked   int      // of the mentions, those that are the value of a hook

	fn      *function // whose parameter it is; nil for others
	index   int       // of the parameter
	given   []ast.Expr
	visited bool
	memo    []context
}

// A function is a function in the text.
type function struct {
	expr    *ast.FunctionExpr
	text    *text
	parent  *function
	params  []*variable
	returns []returned
	hooks   []hooked
	nth     int // among the functions that begin in its line
}

// returned is one return, with its number among those of its line.
type returned struct {
	*ast.ReturnStmt
	nth int
}

// hooked is one registration of a function.
type hooked struct {
	hook   int
	direct bool      // it is the value itself, or the variable is
	via    *variable // that names the function; nil: it has no name
}

// A text is one file while it is walked.
type text struct {
	*finder
	script *source.Script
	names  map[string][]*variable // of the open blocks, the innermost last
	log    []string               // the names that were declared, for leaving blocks
	fn     *function
	nth    map[spot]int                // how often a word was met in a line
	branch int                         // if and loops around
	seen   map[*ast.LogicalOpExpr]bool // those whose operands are noted as tests
	all    []*function                 // in the order of the text
	result ast.Expr                    // what the file returns
}

// A spot is a word in a line. A name behind a dot or colon has a dot before it.
type spot struct {
	line int
	word string
}

// A use is one use of a member in the text, or of a name of any other table.
type use struct {
	text   *text
	fn     *function // in which it stands; nil: the top level
	object ast.Expr
	name   string
	line   int
	nth    int // among those of this name in the line
	how    how
	args   []ast.Expr
}

// how is what is done with a member.
type how int

const (
	reads how = iota
	callsWithDot
	callsWithColon
	assigns
)

func (t *text) declare(v *variable) {
	v.text = t
	t.names[v.name] = append(t.names[v.name], v)
	t.log = append(t.log, v.name)
}

// block walks statements whose variables end with them.
func (t *text) block(body []ast.Stmt, more ...ast.Expr) {
	before := len(t.log)
	t.statements(body)
	t.expressions(more)
	t.leave(before)
}

func (t *text) leave(before int) {
	for _, name := range t.log[before:] {
		t.names[name] = t.names[name][:len(t.names[name])-1]
	}
	t.log = t.log[:before]
}

func (t *text) statements(list []ast.Stmt) {
	for _, s := range list {
		t.statement(s)
	}
}

func (t *text) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		t.expressions(s.Rhs)
		for i, target := range s.Lhs {
			var value ast.Expr
			if i < len(s.Rhs) {
				value = s.Rhs[i]
			}
			t.assign(target, value)
		}
	case *ast.LocalAssignStmt:
		t.local(s)
	case *ast.FuncCallStmt:
		t.expression(s.Expr)
	case *ast.DoBlockStmt:
		t.block(s.Stmts)
	case *ast.WhileStmt:
		t.decide(s.Condition)
		t.branches(s.Stmts)
	case *ast.RepeatStmt:
		t.tested(s.Condition, nil, true)
		t.block(s.Stmts, s.Condition)
	case *ast.IfStmt:
		t.decide(s.Condition)
		t.branches(s.Then, s.Else)
	case *ast.NumberForStmt:
		t.expressions([]ast.Expr{s.Init, s.Limit, s.Step})
		t.loop(s.Stmts, s.Name)
	case *ast.GenericForStmt:
		t.expressions(s.Exprs)
		t.loop(s.Stmts, s.Names...)
	case *ast.FuncDefStmt:
		t.define(s)
	case *ast.ReturnStmt:
		if t.fn != nil {
			t.fn.returns = append(t.fn.returns, returned{s, t.number(s.Line(), "return")})
		} else if len(s.Exprs) > 0 {
			t.result = s.Exprs[0]
		}
		t.expressions(s.Exprs)
	}
}

// decide walks what a statement tests.
func (t *text) decide(condition ast.Expr) {
	t.tested(condition, nil, true)
	t.expression(condition)
}

// branches walks statements that may not run.
func (t *text) branches(bodies ...[]ast.Stmt) {
	t.branch++
	for _, body := range bodies {
		t.block(body)
	}
	t.branch--
}

func (t *text) loop(body []ast.Stmt, names ...string) {
	before := len(t.log)
	for _, name := range names {
		t.declare(&variable{name: name})
	}
	t.branch++
	t.statements(body)
	t.branch--
	t.leave(before)
}

// local walks a declaration. As in gopher-lua's compiler, a function sees its own name.
func (t *text) local(s *ast.LocalAssignStmt) {
	var declared []*variable
	for i, name := range s.Names {
		v := &variable{name: name}
		if i < len(s.Exprs) {
			v.init = s.Exprs[i]
		}
		declared = append(declared, v)
	}
	_, isFunction := declared[0].init.(*ast.FunctionExpr)
	own := len(declared) == 1 && len(s.Exprs) == 1 && isFunction
	if own {
		t.declare(declared[0])
	}
	t.expressions(s.Exprs)
	for _, v := range declared {
		if !own {
			t.declare(v)
		}
		if table, ok := v.init.(*ast.TableExpr); ok {
			t.hold(v, table)
		}
	}
}

// hold notes the fields of a table under the variable, or the table itself, that has it.
func (t *text) hold(holder any, table *ast.TableExpr) {
	for _, field := range table.Fields {
		if key, ok := field.Key.(*ast.StringExpr); ok {
			t.addField(holder, key.Value, field.Value)
		}
	}
}

func (t *text) assign(target, value ast.Expr) {
	switch e := target.(type) {
	case *ast.IdentExpr:
		if v := t.find(e.Value); v != nil {
			v.assigned = true
		}
	case *ast.AttrGetExpr:
		t.attribute(e, assigns, nil)
		object, named := e.Object.(*ast.IdentExpr)
		key, constant := e.Key.(*ast.StringExpr)
		if named && constant && value != nil {
			if v := t.variables[object]; v != nil {
				t.addField(v, key.Value, value)
				t.sometimes[value] = t.branch > 0 || t.fn != nil
			}
		}
	}
}

// define walks function f() end, function t.f() end and function t:f() end.
func (t *text) define(s *ast.FuncDefStmt) {
	if s.Name.Func == nil {
		t.expression(s.Name.Receiver)
		t.function(s.Func, "self")
		return
	}
	t.assign(s.Name.Func, s.Func)
	t.function(s.Func)
}

func (t *text) find(name string) *variable {
	if list := t.names[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

func (t *text) function(e *ast.FunctionExpr, first ...string) {
	fn := &function{expr: e, text: t, parent: t.fn, nth: t.number(e.Line(), "function")}
	before := len(t.log)
	t.fn, t.functions[e], t.all = fn, fn, append(t.all, fn)
	for i, name := range append(first, e.ParList.Names...) {
		v := &variable{name: name, fn: fn, index: i}
		fn.params = append(fn.params, v)
		t.declare(v)
	}
	t.statements(e.Stmts)
	t.leave(before)
	t.fn = fn.parent
}

func (t *text) expressions(list []ast.Expr) {
	for _, e := range list {
		t.expression(e)
	}
}

func (t *text) expression(e ast.Expr) {
	t.operands(e)
	switch e := e.(type) {
	case *ast.IdentExpr:
		if v := t.find(e.Value); v != nil {
			t.variables[e] = v
			v.mentions++
		}
	case *ast.AttrGetExpr:
		t.attribute(e, reads, nil)
	case *ast.TableExpr:
		for _, field := range e.Fields {
			if field.Key != nil {
				t.expression(field.Key)
			}
			t.expression(field.Value)
		}
	case *ast.FunctionExpr:
		t.function(e)
	case *ast.FuncCallExpr:
		t.call(e)
	case *ast.LogicalOpExpr:
		t.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.RelationalOpExpr:
		t.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.StringConcatOpExpr:
		t.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.ArithmeticOpExpr:
		t.expressions([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.UnaryMinusOpExpr:
		t.expression(e.Expr)
	case *ast.UnaryNotOpExpr:
		t.expression(e.Expr)
	case *ast.UnaryLenOpExpr:
		t.expression(e.Expr)
	}
}

func (t *text) call(e *ast.FuncCallExpr) {
	switch callee := e.Func.(type) {
	case nil:
		t.expression(e.Receiver)
		t.use(e.Receiver, e.Method, e.Line(), callsWithColon, e.Args)
	case *ast.AttrGetExpr:
		t.attribute(callee, callsWithDot, e.Args)
	default:
		t.expression(callee)
	}
	t.expressions(e.Args)
	if e.Func != nil {
		t.calls = append(t.calls, callSite{t, e})
	}
}

func (t *text) attribute(e *ast.AttrGetExpr, how how, args []ast.Expr) {
	t.expression(e.Object)
	if key, ok := e.Key.(*ast.StringExpr); ok {
		t.use(e.Object, key.Value, key.Line(), how, args)
		return
	}
	t.expression(e.Key)
}

// use notes a use. Line and number are those of the name, in the order of the text.
func (t *text) use(object ast.Expr, name string, line int, how how, args []ast.Expr) {
	t.uses = append(t.uses, use{t, t.fn, object, name, line, t.number(line, "."+name), how, args})
}

// number counts how often a word was met in a line before.
func (t *text) number(line int, word string) int {
	at := spot{line, word}
	t.nth[at]++
	return t.nth[at] - 1
}
