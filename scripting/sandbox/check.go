package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// What gopher-lua compiles wrongly, slowly or not at all.
const (
	// maxDepth is how deep statements and expressions nest. gopher-lua's compiler recurses
	// (compileExpr, compileStmt), and so do this walk and the rewriting.
	maxDepth = 500
	// maxConstants is how many constants a function has. The compiler compares each new one with
	// all others (funcContext.ConstIndex), so the work grows with the square.
	maxConstants = 20_000
	// maxJumps is how many labels and gotos a function has. The compiler compares each with each.
	maxJumps = 500
	// maxItems is how many fields a constructor has. Beyond 511 flushes of 50 the compiler writes
	// the number of the flush into the next instruction, and gets it wrong (compileTableExpr,
	// OP_SETLIST): items beyond 25,550 would be stored under other keys.
	maxItems = 25_000
	// maxTargets is how many targets an assignment has. The rewriting makes a local variable for
	// each, of which a function has at most 200 (maxRegisters in compile.go), and the work grows
	// with the square.
	maxTargets = 200
	// maxCaptured is how many variables of a function the functions within it use. The machine
	// walks a list of all open ones at each return (LState.closeUpvalues) and at each closure
	// (findUpvalue), in one instruction. With 120 calls the list has at most 7,200.
	maxCaptured = 60
	// maxErrors is how many mistakes are reported for one file.
	maxErrors = 100
)

// A checker walks a tree with its scopes, before anything is rewritten. It finds what a script may
// not do. For the rewriting it records which identifiers are global variables.
//
// The contract with the rewriter: every construct that check has accepted is one that the rewriter
// knows, no deeper than maxDepth, and globals has every identifier that is read or assigned as a
// global. An assignment to a global, or to a variable of the chunk, is at the top level of the
// file.
type checker struct {
	p        *Program
	depth    int
	tooDeep  bool // reported already
	budget   *Budget
	compared int64 // constants with each other, by the compiler, that are not charged yet
	fn       *function
	errs     []namedError

	maker   maker                     // of the tables of constants
	hoisted map[*ast.TableExpr]string // their constructors, with the names of the tables

	globals  map[*ast.IdentExpr]bool // the identifiers that are global variables
	assigned map[string]bool         // the names of the globals that the script assigns
	used     map[string]int          // the names of the globals that it reads, with the first line
	absent   []absence               // errors, unless the script assigns the global itself
}

// A function is a function that is being walked. The chunk is the one without a parent.
type function struct {
	parent    *function
	blocks    []map[string]bool // the variables of each open block, the innermost last
	constants map[any]int64     // with their order, from 1
	captured  map[string]bool   // its variables that functions within it use
	jumps     int
	full      bool // too many constants, reported already
}

// check walks the chunk. The rewriter may use the checker only when errs is empty.
func check(p *Program, b *Budget, chunk []ast.Stmt) *checker {
	c := &checker{p: p, budget: b, maker: maker{budget: b}, hoisted: map[*ast.TableExpr]string{}, globals: map[*ast.IdentExpr]bool{}, assigned: map[string]bool{}, used: map[string]int{}}
	c.function(nil, false, chunk)
	// Only now is it known which globals the script assigns: it may define its own os.
	for _, a := range c.absent {
		if !c.assigned[a.global] {
			c.failAt(a.line, a.global, "%s", a.message)
		}
	}
	p.place(c.errs)
	return c
}

// failed returns the errors that were found, joined when there are several; nil: there are none.
func (c *checker) failed() error {
	if len(c.errs) == 1 {
		return c.errs[0].Error
	}
	all := make([]error, len(c.errs))
	for i, e := range c.errs {
		all[i] = e.Error
	}
	return errors.Join(all...)
}

// reads returns the globals that the script reads, ordered by line and name.
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

// function walks a function with its parameters.
func (c *checker) function(params []string, variadic bool, body []ast.Stmt) {
	c.fn = &function{parent: c.fn, constants: map[any]int64{}, captured: map[string]bool{}}
	c.fn.blocks = []map[string]bool{{}}
	c.declare(params...)
	if variadic {
		c.declare("arg") // gopher-lua still declares Lua 5.0's table of arguments under this name
	}
	c.statements(body)
	c.fn = c.fn.parent
}

// block walks a block that begins with these variables.
func (c *checker) block(body []ast.Stmt, names ...string) {
	c.fn.blocks = append(c.fn.blocks, map[string]bool{})
	c.declare(names...)
	c.statements(body)
	c.fn.blocks = c.fn.blocks[:len(c.fn.blocks)-1]
}

// declare adds variables to the innermost block. From here on their names are not globals.
func (c *checker) declare(names ...string) {
	for _, name := range names {
		c.fn.blocks[len(c.fn.blocks)-1][name] = true
	}
}

// owner returns the function that declared a variable, or nil for a global. It counts the variables
// that a function shares with functions inside it. The chunk may share any number: it runs once,
// and it has returned when handlers run, so its variables are not in the list that the machine
// walks.
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

func (c *checker) fail(line int, format string, args ...any) { c.failAt(line, "", format, args...) }

// failAt notes an error about the first use of a name on a line.
func (c *checker) failAt(line int, name, format string, args ...any) {
	if len(c.errs) < maxErrors {
		e := &Error{File: c.p.Name, Line: line, Message: fmt.Sprintf(format, args...)}
		c.errs = append(c.errs, namedError{e, name})
	}
}

// deeper enters a level of nesting and reports whether it may be walked. The caller leaves the
// level with depth-- if so. Too deep is reported once.
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
		if len(stmt.Lhs) > maxTargets {
			c.fail(stmt.Line(), "more than %d targets in one assignment: divide it", maxTargets)
			return
		}
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

// local declares the variables after it has walked the values, as Lua does: in "local x = x" the
// second x is an outer one. gopher-lua declares a single function before (compileLocalAssignStmt),
// so that "local function f" can call itself, and its parser makes "local f = function" the same.
func (c *checker) local(stmt *ast.LocalAssignStmt) {
	if isLocalFunction(stmt) {
		c.declare(stmt.Names...)
	}
	c.expressions(stmt.Exprs)
	c.declare(stmt.Names...)
}

// isLocalFunction reports whether a statement declares one variable with a function as its value.
func isLocalFunction(stmt *ast.LocalAssignStmt) bool {
	if len(stmt.Names) != 1 || len(stmt.Exprs) != 1 {
		return false
	}
	_, ok := stmt.Exprs[0].(*ast.FunctionExpr)
	return ok
}

// repeat walks a loop whose condition belongs to the block of its body and sees its variables.
func (c *checker) repeat(stmt *ast.RepeatStmt) {
	c.fn.blocks = append(c.fn.blocks, map[string]bool{})
	c.statements(stmt.Stmts)
	c.expression(stmt.Condition)
	c.fn.blocks = c.fn.blocks[:len(c.fn.blocks)-1]
}

// definition walks "function a.b.c()" or "function a:m()". The second has a parameter self.
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

// assign checks one target of an assignment. A function must not assign a global or a variable of
// the chunk: that would be memory that outlives a call, and a reload of the file would lose it.
// Variables of functions around it may be assigned: State.restore looks after those that live on.
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
			c.failAt(variable.Line(), name,
				"cannot assign %q inside a function: it is a global; declare it with local, or keep state in the store (attempt.store)", name)
		}
	case owner.parent == nil && inside:
		c.failAt(variable.Line(), name,
			"cannot assign %q inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)", name)
	}
}

// jump counts a label or a goto.
func (c *checker) jump(line int) {
	if c.fn.jumps++; c.fn.jumps == maxJumps+1 {
		c.fail(line, "more than %d labels and gotos in one function", maxJumps)
	}
}

// constant counts a constant of the function: a name of a field or global, a string or a number.
// Each time that it stands there the compiler compares it with those before it.
func (c *checker) constant(line int, value any) {
	if c.fn.full {
		return
	}
	if c.fn.constants[value] == 0 {
		c.fn.constants[value] = int64(len(c.fn.constants)) + 1
	}
	c.compared += c.fn.constants[value]
	c.budget.charge(c.compared/comparedOfAStep, 0)
	c.compared %= comparedOfAStep
	if len(c.fn.constants) > maxConstants {
		c.fn.full = true
		c.fail(line, "more than %d different names, strings and numbers in one function: divide it, or the file; "+
			"a table of constants alone may have any number", maxConstants)
	}
}
