package mistake

import (
	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/source"
)

// Bounds of what is followed. What lies beyond is not known, and nothing is said about it.
const (
	maxCandidates = 8       // functions that one expression may stand for
	maxDepth      = 4       // steps from an expression to the function it stands for
	maxChain      = 3       // names in a row, as in sesame.store.get
	maxSteps      = 200_000 // of all that is followed in a set
)

// A finder holds what the texts of a set tell together.
type finder struct {
	api       *API
	modules   map[string]*text // by path
	variables map[*ast.IdentExpr]*variable
	functions map[*ast.FunctionExpr]*function
	fields    map[field][]ast.Expr // what is assigned to fields of variables and tables
	uses      []use
	tests     []test
	above     map[ast.Expr]*ast.LogicalOpExpr // the operator whose left operand one is
	sometimes map[ast.Expr]bool               // what is assigned to a field in a branch or a function
	calls     []callSite
	steps     int
}

// A field is a name in a table. The holder is the variable that has the table, or the table.
type field struct {
	holder any
	name   string
}

type callSite struct {
	text *text
	expr *ast.FuncCallExpr
}

// A context is one value of the API that an expression may have: an object, in the functions of a
// hook. Hook 0: any function.
type context struct {
	object  *Object
	hook    int
	certain bool
}

// read walks the text of a file.
func (f *finder) read(script *source.Script) {
	t := &text{finder: f, script: script, names: map[string][]*variable{}, nth: map[spot]int{}, seen: map[*ast.LogicalOpExpr]bool{}}
	f.modules[script.Path] = t
	t.block(script.Chunk())
	if table, ok := t.result.(*ast.TableExpr); ok {
		t.hold(table, table)
	}
}

func (f *finder) addField(holder any, name string, value ast.Expr) {
	if key := (field{holder, name}); len(f.fields[key]) < maxCandidates {
		f.fields[key] = append(f.fields[key], value)
	}
}

// step counts work, and reports whether there may be more.
func (f *finder) step() bool {
	f.steps++
	return f.steps <= maxSteps
}

// connect finds the functions that are registered, and what the others are called with.
func (f *finder) connect() {
	for _, c := range f.calls {
		callee := c.expr.Func
		if inner, ok := callee.(*ast.FuncCallExpr); ok && inner.Func != nil {
			callee = inner.Func // sesame.door "ssh" { ... } are two calls
		}
		if member, direct := f.registration(callee); member != nil {
			f.register(member, c.expr.Args, direct)
			continue
		}
		f.pass(c.expr)
	}
}

// registration returns the member of sesame that an expression names, and whether it does so
// directly. nil: none.
func (f *finder) registration(callee ast.Expr) (member *Member, direct bool) {
	if e, ok := callee.(*ast.IdentExpr); ok {
		if v := f.variables[e]; v != nil && !v.assigned && v.init != nil {
			member, _ = f.memberOf(v.init)
		}
		return member, false
	}
	return f.memberOf(callee)
}

func (f *finder) memberOf(callee ast.Expr) (*Member, bool) {
	e, ok := callee.(*ast.AttrGetExpr)
	if !ok || !f.isSesame(e.Object) {
		return nil, false
	}
	if key, ok := e.Key.(*ast.StringExpr); ok {
		if m := f.api.Objects["sesame"].Members[key.Value]; m != nil && m.Kind == Registration {
			return m, true
		}
	}
	return nil, false
}

// isSesame reports whether an expression is the global sesame, which no script can assign.
func (f *finder) isSesame(expr ast.Expr) bool {
	e, ok := expr.(*ast.IdentExpr)
	return ok && e.Value == "sesame" && f.variables[e] == nil
}

// register notes the functions among the arguments of a registration.
func (f *finder) register(m *Member, args []ast.Expr, direct bool) {
	for i, arg := range args {
		if hook := m.Functions["#"+string(rune('1'+i))]; i < 9 && hook != 0 {
			f.hook(arg, hook, direct)
		}
		table, literal := f.tableOf(arg)
		if table == nil {
			continue
		}
		for _, field := range table.Fields {
			key, named := field.Key.(*ast.StringExpr)
			name := ""
			if named {
				name = key.Value
			}
			if hook := m.Functions[name]; hook != 0 && (named || field.Key == nil) {
				f.hookAll(field.Value, hook, direct && literal)
			}
		}
	}
}

// tableOf returns the table that an expression is, or that its variable was made with, and whether
// it is the expression itself. nil: it is none.
func (f *finder) tableOf(expr ast.Expr) (table *ast.TableExpr, literal bool) {
	if e, ok := expr.(*ast.IdentExpr); ok {
		if v := f.variables[e]; v != nil && !v.assigned {
			table, _ = v.init.(*ast.TableExpr)
		}
		return table, false
	}
	table, literal = expr.(*ast.TableExpr)
	return table, literal
}

// hookAll notes a function, or all functions of a list.
func (f *finder) hookAll(expr ast.Expr, hook int, direct bool) {
	table, literal := f.tableOf(expr)
	if table == nil {
		f.hook(expr, hook, direct)
		return
	}
	for _, field := range table.Fields {
		f.hook(field.Value, hook, direct && literal)
	}
}

// hook notes that an expression is registered as the function of a hook.
func (f *finder) hook(expr ast.Expr, hook int, direct bool) {
	via, how := (*variable)(nil), direct
	switch e := expr.(type) {
	case *ast.FunctionExpr:
	case *ast.IdentExpr:
		if via = f.variables[e]; via != nil {
			via.hooked++
			_, isFunction := via.init.(*ast.FunctionExpr)
			how = direct && isFunction
		}
	default:
		how = false
	}
	for _, fn := range f.resolve(expr, 0) {
		fn.hooks = append(fn.hooks, hooked{hook, how, via})
	}
}

// resolve returns functions that an expression may stand for.
func (f *finder) resolve(expr ast.Expr, depth int) []*function {
	if depth > maxDepth || !f.step() {
		return nil
	}
	switch e := expr.(type) {
	case *ast.FunctionExpr:
		return []*function{f.functions[e]}
	case *ast.IdentExpr:
		if v := f.variables[e]; v != nil && !v.assigned && v.init != nil {
			return f.resolve(v.init, depth+1)
		}
	case *ast.AttrGetExpr:
		if key, ok := e.Key.(*ast.StringExpr); ok {
			return f.resolveAll(f.fieldOf(e.Object, key.Value), depth)
		}
	case *ast.FuncCallExpr:
		if module := f.required(e); module != nil {
			return f.resolve(module.result, depth+1)
		}
		var results []ast.Expr
		for _, fn := range f.resolve(e.Func, depth+1) {
			for _, r := range fn.returns {
				if len(r.Exprs) > 0 && len(results) < maxCandidates {
					results = append(results, r.Exprs[0])
				}
			}
		}
		return f.resolveAll(results, depth)
	}
	return nil
}

func (f *finder) resolveAll(list []ast.Expr, depth int) (all []*function) {
	for _, expr := range list {
		if len(all) < maxCandidates {
			all = append(all, f.resolve(expr, depth+1)...)
		}
	}
	return all
}

// fieldOf returns what a field of a table may have: of a table in a variable, or of a module.
func (f *finder) fieldOf(object ast.Expr, name string) []ast.Expr {
	call, _ := object.(*ast.FuncCallExpr)
	if e, isName := object.(*ast.IdentExpr); isName {
		v := f.variables[e]
		if v == nil || v.assigned {
			return nil
		}
		var isCall bool
		if call, isCall = v.init.(*ast.FuncCallExpr); !isCall {
			return f.fields[field{v, name}]
		}
	}
	module := f.required(call)
	if module == nil {
		return nil
	}
	switch result := module.result.(type) {
	case *ast.TableExpr:
		return f.fields[field{result, name}]
	case *ast.IdentExpr:
		if v := f.variables[result]; v != nil {
			return f.fields[field{v, name}]
		}
	}
	return nil
}

// required returns the text of the module that a call of require names; nil for another call.
func (f *finder) required(call *ast.FuncCallExpr) *text {
	if call == nil || len(call.Args) != 1 {
		return nil
	}
	callee, ok := call.Func.(*ast.IdentExpr)
	name, constant := call.Args[0].(*ast.StringExpr)
	if !ok || !constant || callee.Value != "require" || f.variables[callee] != nil {
		return nil
	}
	return f.modules["lib/"+name.Value+".lua"]
}

// pass notes the arguments with which functions are called.
func (f *finder) pass(call *ast.FuncCallExpr) {
	if len(call.Args) == 0 {
		return
	}
	for _, fn := range f.resolve(call.Func, 0) {
		for i, arg := range call.Args[:min(len(call.Args), len(fn.params))] {
			switch arg.(type) {
			case *ast.IdentExpr, *ast.AttrGetExpr:
				fn.params[i].given = append(fn.params[i].given, arg)
			}
		}
	}
}

// contexts returns the values of the API that an expression may have.
func (f *finder) contexts(expr ast.Expr, depth int) []context {
	switch e := expr.(type) {
	case *ast.IdentExpr:
		if f.isSesame(e) {
			return []context{{object: f.api.Objects["sesame"], certain: true}}
		}
		return f.ofVariable(f.variables[e])
	case *ast.AttrGetExpr:
		key, ok := e.Key.(*ast.StringExpr)
		if !ok || depth == maxChain {
			return nil
		}
		var inner []context
		for _, c := range f.contexts(e.Object, depth+1) {
			if m := c.object.Members[key.Value]; m != nil && m.Holds != "" {
				inner = append(inner, context{f.api.Objects[m.Holds], c.hook, c.certain})
			}
		}
		return inner
	}
	return nil
}

// ofVariable computes the contexts of a variable once. A variable that depends on itself adds
// nothing.
func (f *finder) ofVariable(v *variable) []context {
	if v == nil || v.assigned || v.visited || !f.step() {
		if v != nil && v.visited {
			return v.memo
		}
		return nil
	}
	v.visited = true
	var all []context
	if v.fn == nil && v.init != nil {
		all = doubtful(all, f.contexts(v.init, 0))
	}
	if v.fn != nil && v.index == 0 {
		for _, h := range v.fn.hooks {
			object := f.api.Objects[f.api.Hooks[h.hook].Gives]
			all = with(all, context{object, h.hook, h.certain()})
		}
	}
	for _, given := range v.given {
		all = doubtful(all, f.contexts(given, 0))
	}
	v.memo = all
	return all
}

// certain reports whether the function can be called for no other reason than registrations.
func (h hooked) certain() bool {
	return h.direct && (h.via == nil || !h.via.assigned && h.via.hooked == h.via.mentions)
}

func doubtful(all, more []context) []context {
	for _, c := range more {
		c.certain = false
		all = with(all, c)
	}
	return all
}

func with(all []context, c context) []context {
	for _, there := range all {
		if there == c {
			return all
		}
	}
	return append(all, c)
}

// runsLater reports whether a function, or one around it, is registered and nothing else.
func (fn *function) runsLater() bool {
	for ; fn != nil; fn = fn.parent {
		certain := len(fn.hooks) > 0
		for _, h := range fn.hooks {
			certain = certain && h.certain()
		}
		if certain {
			return true
		}
	}
	return false
}
