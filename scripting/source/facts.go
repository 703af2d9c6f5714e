package source

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/packet"
)

// An AllowSite is a place in a script that gives access.
type AllowSite struct {
	Place
	Door string // the registration that it stands in; "" when it stands in none
	// Literal says that all it can name is known: Ports, or the guards of the
	// door when Ports is empty.
	Literal bool
	Ports   []packet.Port
	// Prefix4 and Prefix6 are the lengths of the networks around the source
	// that it widens the access to: 0 when it does not, or [Computed].
	Prefix4, Prefix6 int
}

// A CloseSite is a place in a script that closes a door by name.
type CloseSite struct {
	Place
	Door   string // the registration that it stands in; "" when it stands in none
	Target string // "" when it is computed
}

// Computed stands for a number that a script does not write as a literal.
const Computed = -1

// A Call is a call of the API as the text has it: sesame.window { ... }, or
// sesame.door "ssh" { ... }.
type Call struct {
	Bound string         // the variable or field that the result is assigned to; "" for none
	Table *ast.TableExpr // nil when it is no literal

	kind string // "window", "door"
	name string // "ssh"; "" when there is none, or it is computed
	line int
}

// Call returns the call of a kind that a line makes. It is nil when there is
// none, or more than one: a place that might be wrong is not given.
func (s *Script) Call(line int, kind, name string) *Call {
	var found *Call
	for i := range s.calls {
		c := &s.calls[i]
		if c.line != line || c.kind != kind || c.name != "" && c.name != name {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

// findFacts reads the tree of the script.
func (s *Script) findFacts(chunk []ast.Stmt) {
	f := &finder{script: s, bound: map[ast.Expr]string{}, options: map[ast.Expr]bool{}, named: map[ast.Expr]bool{}}
	for _, statement := range chunk {
		walk(statement, f.visit)
	}
}

type finder struct {
	script  *Script
	door    string // the registration at hand
	bound   map[ast.Expr]string
	options map[ast.Expr]bool // tables that are options of the API, whose keys are no names
	named   map[ast.Expr]bool // calls that only gave a registration its name
}

func (f *finder) visit(node any, descend func()) {
	outside := f.door
	switch n := node.(type) {
	case *ast.LocalAssignStmt:
		for i, value := range n.Exprs[:min(len(n.Exprs), len(n.Names))] {
			f.bound[value] = n.Names[i]
		}
	case *ast.AssignStmt:
		for i, value := range n.Rhs[:min(len(n.Rhs), len(n.Lhs))] {
			f.bound[value] = lastName(n.Lhs[i])
		}
	case *ast.TableExpr:
		for _, field := range n.Fields {
			if key, ok := field.Key.(*ast.StringExpr); ok && !f.options[n] {
				f.bound[field.Value] = key.Value
			}
		}
	case *ast.FuncCallExpr:
		f.call(n)
	case *ast.AttrGetExpr:
		switch lastName(n) {
		case "allow":
			f.script.Allows = append(f.script.Allows, f.computed(n))
		case "close":
			f.script.Closes = append(f.script.Closes, CloseSite{Place: f.script.At(n, 0), Door: f.door})
		}
	}
	descend()
	f.door = outside
}

func (f *finder) call(n *ast.FuncCallExpr) {
	switch n.Method {
	case "allow":
		f.script.Allows = append(f.script.Allows, f.allow(n))
	case "close":
		f.script.Closes = append(f.script.Closes, CloseSite{Place: f.script.At(n, 0), Door: f.door, Target: literal(n.Args, 0)})
	}
	s, ok := f.api(n)
	if !ok {
		return
	}
	if s.Table != nil {
		f.options[s.Table] = true
	}
	f.script.calls = append(f.script.calls, s)
	if s.kind == "door" || s.kind == "listen" {
		f.door = s.name
	}
}

// api recognises a call of the API, alone or with its name first.
func (f *finder) api(n *ast.FuncCallExpr) (Call, bool) {
	if n.Func == nil || f.named[n] {
		return Call{}, false
	}
	s := Call{line: n.Line(), Bound: f.bound[n]}
	callee := n.Func
	if inner, ok := callee.(*ast.FuncCallExpr); ok && inner.Func != nil {
		s.name, callee = literal(inner.Args, 0), inner.Func
		f.named[inner] = true
	} else {
		s.name = literal(n.Args, 0)
	}
	member, ok := callee.(*ast.AttrGetExpr)
	if !ok || lastName(member.Object) != "sesame" {
		return Call{}, false
	}
	if s.kind = lastName(member); len(n.Args) > 0 {
		s.Table, _ = n.Args[0].(*ast.TableExpr)
	}
	return s, true
}

// computed is an allow of which nothing is known.
func (f *finder) computed(expr ast.Expr) AllowSite {
	return AllowSite{Place: f.script.At(expr, 0), Door: f.door, Prefix4: Computed, Prefix6: Computed}
}

// allow reads what a call can name.
func (f *finder) allow(n *ast.FuncCallExpr) AllowSite {
	site := AllowSite{Place: f.script.At(n, 0), Door: f.door, Literal: true}
	if len(n.Args) == 0 {
		return site
	}
	table, ok := n.Args[0].(*ast.TableExpr)
	if !ok {
		return f.computed(n)
	}
	known := true
	for _, field := range table.Fields {
		key, ok := field.Key.(*ast.StringExpr)
		if !ok {
			return f.computed(n)
		}
		switch key.Value {
		case "port":
			site.Ports, ok = literalPorts(field.Value)
			known = known && ok
		case "prefix4":
			site.Prefix4 = literalLength(field.Value)
		case "prefix6":
			site.Prefix6 = literalLength(field.Value)
		}
	}
	if site.Literal = known; !known {
		site.Ports = nil
	}
	return site
}

func literalLength(expr ast.Expr) int {
	if n, ok := expr.(*ast.NumberExpr); ok {
		if length, err := strconv.Atoi(n.Value); err == nil && length > 0 {
			return length
		}
	}
	return Computed
}

func literalPorts(expr ast.Expr) (ports []packet.Port, ok bool) {
	text := ""
	switch n := expr.(type) {
	case *ast.TableExpr:
		for _, field := range n.Fields {
			more, ok := literalPorts(field.Value)
			if !ok || field.Key != nil {
				return nil, false
			}
			ports = append(ports, more...)
		}
		return ports, len(ports) > 0
	case *ast.StringExpr:
		text = n.Value
	case *ast.NumberExpr:
		text = n.Value
	}
	port, err := packet.ParsePort(text)
	if err != nil {
		return nil, false
	}
	return []packet.Port{port}, true
}

// literal returns the string that stands at a place of a list, or "".
func literal(list []ast.Expr, i int) string {
	if i < len(list) {
		if s, ok := list[i].(*ast.StringExpr); ok {
			return s.Value
		}
	}
	return ""
}

// lastName returns hours for the variable hours and for times.hours, else "".
func lastName(expr ast.Expr) string {
	switch n := expr.(type) {
	case *ast.IdentExpr:
		return n.Value
	case *ast.AttrGetExpr:
		if key, ok := n.Key.(*ast.StringExpr); ok {
			return key.Value
		}
	}
	return ""
}
