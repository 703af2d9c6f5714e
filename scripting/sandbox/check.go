package sandbox

import (
	"cmp"
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// What gopher-lua compiles wrongly, slowly or not at all beyond.
const (
	maxDepth     = 500    // its compiler recurses
	maxConstants = 20_000 // it searches the constants of a function one by one
	maxJumps     = 500    // labels and gotos of a function: it tries each with each
	maxErrors    = 100    // that are told of what a library has not
	maxItems     = 25_000 // of a constructor: beyond 25,550 it stores them under wrong keys
	maxCaptured  = 60     // variables of a function that functions within it use: the machine walks all of them at each return
)

// A checker walks a tree with its scopes, before anything is rewritten. It finds what a script may
// not do, and tells globals from locals for the rewriting.
type checker struct {
	p       *Program
	depth   int
	tooDeep bool // said already
	fn      *function
	errs    []error

	globals  map[*ast.IdentExpr]bool // the identifiers that are global variables
	assigned map[string]bool         // the names of the globals that the script assigns
	used     map[string]int          // the names of the globals that it reads, with the first line
	absent   []absence
}

// A function is the function being walked; the chunk is the one without a parent.
type function struct {
	parent    *function
	blocks    []map[string]bool
	constants map[any]bool
	captured  map[string]bool // its variables that functions within it use
	jumps     int
	full      bool // of constants; said already
}

// check walks the chunk. The checker is of use when it found no errors.
func check(p *Program, chunk []ast.Stmt) *checker {
	c := &checker{p: p, globals: map[*ast.IdentExpr]bool{}, assigned: map[string]bool{}, used: map[string]int{}}
	c.function(nil, false, chunk)
	for _, a := range c.absent {
		if !c.assigned[a.global] && len(c.errs) < maxErrors {
			c.errs = append(c.errs, p.errorAtName(a.line, a.global, "%s", a.message))
		}
	}
	return c
}

// reads returns the globals that the script reads, in the order of their lines.
func (c *checker) reads() []read {
	list := make([]read, 0, len(c.used))
	for name, line := range c.used {
		list = append(list, read{name, line})
	}
	slices.SortFunc(list, func(a, b read) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.name, b.name))
	})
	return list
}

func (c *checker) function(params []string, variadic bool, body []ast.Stmt) {
	c.fn = &function{parent: c.fn, constants: map[any]bool{}, captured: map[string]bool{}}
	c.fn.blocks = []map[string]bool{{}}
	c.declare(params...)
	if variadic {
		c.declare("arg") // Lua 5.0's table of arguments; gopher-lua still reserves the name
	}
	c.statements(body)
	c.fn = c.fn.parent
}

func (c *checker) block(body []ast.Stmt, names ...string) {
	c.fn.blocks = append(c.fn.blocks, map[string]bool{})
	c.declare(names...)
	c.statements(body)
	c.fn.blocks = c.fn.blocks[:len(c.fn.blocks)-1]
}

func (c *checker) declare(names ...string) {
	for _, name := range names {
		c.fn.blocks[len(c.fn.blocks)-1][name] = true
	}
}

// owner returns the function that declared a variable, or nil for a global. The chunk may share as
// many variables as it likes: it runs once.
func (c *checker) owner(line int, name string) *function {
	for fn := c.fn; fn != nil; fn = fn.parent {
		for _, names := range fn.blocks {
			if !names[name] {
				continue
			}
			if fn != c.fn && fn.parent != nil && !fn.captured[name] {
				fn.captured[name] = true
				if len(fn.captured) == maxCaptured+1 {
					c.fail(line, "more than %d variables of one function are used by functions within it", maxCaptured)
				}
			}
			return fn
		}
	}
	return nil
}

func (c *checker) fail(line int, format string, args ...any) {
	c.errs = append(c.errs, c.p.errorAt(line, 0, format, args...))
}

// deeper counts one level of nesting, and refuses the level that would be too deep.
func (c *checker) deeper(line int) bool {
	if c.depth++; c.depth <= maxDepth {
		return true
	}
	if !c.tooDeep {
		c.tooDeep = true
		c.fail(line, "nested too deeply: at most %d levels", maxDepth)
	}
	c.depth--
	return false
}

func (c *checker) statements(body []ast.Stmt) {
	for _, stmt := range body {
		if c.deeper(stmt.Line()) {
			c.statement(stmt)
			c.depth--
		}
	}
}

func (c *checker) statement(stmt ast.Stmt) {
	switch stmt := stmt.(type) {
	case *ast.LocalAssignStmt:
		c.local(stmt)
	case *ast.AssignStmt:
		c.expressions(stmt.Rhs)
		for _, target := range stmt.Lhs {
			c.assign(target)
		}
	case *ast.FuncDefStmt:
		c.definition(stmt)
	case *ast.FuncCallStmt:
		c.expression(stmt.Expr)
	case *ast.ReturnStmt:
		c.expressions(stmt.Exprs)
	case *ast.DoBlockStmt:
		c.block(stmt.Stmts)
	case *ast.WhileStmt:
		c.expression(stmt.Condition)
		c.block(stmt.Stmts)
	case *ast.RepeatStmt:
		c.repeat(stmt)
	case *ast.IfStmt:
		c.expression(stmt.Condition)
		c.block(stmt.Then)
		c.block(stmt.Else)
	case *ast.NumberForStmt:
		c.expressions([]ast.Expr{stmt.Init, stmt.Limit})
		if stmt.Step != nil {
			c.expression(stmt.Step)
		}
		c.block(stmt.Stmts, stmt.Name)
	case *ast.GenericForStmt:
		c.expressions(stmt.Exprs)
		c.block(stmt.Stmts, stmt.Names...)
	case *ast.LabelStmt, *ast.GotoStmt:
		c.jump(stmt.Line())
	}
}

// local declares after the values, but a single function before: it may call itself.
func (c *checker) local(stmt *ast.LocalAssignStmt) {
	if isLocalFunction(stmt) {
		c.declare(stmt.Names...)
	}
	c.expressions(stmt.Exprs)
	c.declare(stmt.Names...)
}

func isLocalFunction(stmt *ast.LocalAssignStmt) bool {
	if len(stmt.Names) != 1 || len(stmt.Exprs) != 1 {
		return false
	}
	_, ok := stmt.Exprs[0].(*ast.FunctionExpr)
	return ok
}

// repeat is not a block like the others: its condition sees the locals of its body.
func (c *checker) repeat(stmt *ast.RepeatStmt) {
	c.fn.blocks = append(c.fn.blocks, map[string]bool{})
	c.statements(stmt.Stmts)
	c.expression(stmt.Condition)
	c.fn.blocks = c.fn.blocks[:len(c.fn.blocks)-1]
}

func (c *checker) definition(stmt *ast.FuncDefStmt) {
	params := stmt.Func.ParList.Names
	if stmt.Name.Func != nil {
		c.assign(stmt.Name.Func)
	} else {
		c.expression(stmt.Name.Receiver)
		c.constant(stmt.Line(), stmt.Name.Method)
		params = append([]string{"self"}, params...)
	}
	c.function(params, stmt.Func.ParList.HasVargs, stmt.Func.Stmts)
}

// assign checks one target of an assignment.
func (c *checker) assign(target ast.Expr) {
	variable, ok := target.(*ast.IdentExpr)
	if !ok {
		c.expression(target)
		return
	}
	name, inside := variable.Value, c.fn.parent != nil
	switch owner := c.owner(variable.Line(), name); {
	case owner == nil:
		c.constant(variable.Line(), name)
		c.globals[variable] = true
		c.assigned[name] = true
		if inside {
			c.errs = append(c.errs, c.p.errorAtName(variable.Line(), name,
				"cannot assign %q inside a function: it is a global; declare it with local, or keep state in the store (attempt.store)", name))
		}
	case owner.parent == nil && inside:
		c.errs = append(c.errs, c.p.errorAtName(variable.Line(), name,
			"cannot assign %q inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)", name))
	}
}

func (c *checker) jump(line int) {
	if c.fn.jumps++; c.fn.jumps == maxJumps+1 {
		c.fail(line, "more than %d labels and gotos in one function", maxJumps)
	}
}

func (c *checker) constant(line int, value any) {
	c.fn.constants[value] = true
	if len(c.fn.constants) > maxConstants && !c.fn.full {
		c.fn.full = true
		c.fail(line, "more than %d different names, strings and numbers in one function: divide it, or the file", maxConstants)
	}
}
