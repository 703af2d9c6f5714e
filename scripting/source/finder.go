package source

import (
	"slices"
	"strconv"

	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// findSites collects the calls of the API, of allow and of close from the
// syntax tree of the script.
func (s *Script) findSites(chunk []ast.Stmt) {
	s.texts, s.calls = map[string]bool{}, map[int][]Call{}
	f := &finder{script: s, bound: map[ast.Expr]string{}, options: map[ast.Expr]bool{}, named: map[ast.Expr]bool{}, given: map[ast.Expr]bool{}}
	for _, statement := range chunk {
		walk(statement, f.visit)
	}
}

// A finder walks a syntax tree, and knows the registration in which it is.
type finder struct {
	script  *Script
	door    string              // the registration; "" outside of registrations
	bound   map[ast.Expr]string // the names of variables and fields that values are assigned to
	options map[ast.Expr]bool   // tables of options of the API, whose keys are no names of values
	named   map[ast.Expr]bool   // first halves of calls, such as sesame.door "ssh"
	given   map[ast.Expr]bool   // arguments of methods
}

// visit looks at a node and then at its children. A mention of allow without a
// call, as in local give = attempt.allow, counts as a call of which nothing is
// known.
func (f *finder) visit(node any, descend func()) {
	before := f.door
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
	case *ast.StringExpr:
		if !f.given[n] {
			f.script.texts[n.Value] = true
		}
	case *ast.FuncCallExpr:
		for _, argument := range n.Args {
			f.given[argument] = n.Method != ""
		}
		f.call(n)
		f.findValue(n)
	case *ast.AttrGetExpr:
		switch lastName(n) {
		case "allow":
			f.script.Allows = append(f.script.Allows, f.computed(n))
		case "close":
			f.script.Closes = append(f.script.Closes, CloseSite{Place: f.script.At(n, 0), Door: f.door})
		case "country", "continent":
			f.script.Asks = append(f.script.Asks, AskSite{f.script.At(n, 0), engine.FactCountry})
		case "asn", "asn_name":
			f.script.Asks = append(f.script.Asks, AskSite{f.script.At(n, 0), engine.FactASN})
		}
	}
	descend()
	f.door = before
}

// call looks at a call. From a registration on, its children stand in that
// door.
func (f *finder) call(n *ast.FuncCallExpr) {
	switch n.Method {
	case "allow":
		f.script.Allows = append(f.script.Allows, f.allow(n))
	case "close":
		f.script.Closes = append(f.script.Closes, CloseSite{Place: f.script.At(n, 0), Door: f.door, Target: literal(n.Args)})
	case "date":
		f.zone(n)
	}
	s, ok := f.api(n)
	if !ok {
		return
	}
	if s.Table != nil {
		f.options[s.Table] = true
	}
	f.script.calls[s.line] = append(f.script.calls[s.line], s)
	if s.kind == "door" || s.kind == "listen" {
		f.door = s.name
	}
}

// api recognises a call of the API: one call, or two when the first takes a
// name.
func (f *finder) api(n *ast.FuncCallExpr) (Call, bool) {
	if n.Func == nil || f.named[n] {
		return Call{}, false
	}
	s := Call{line: n.Line(), Bound: f.bound[n]}
	callee := n.Func
	if inner, ok := callee.(*ast.FuncCallExpr); ok && inner.Func != nil {
		s.name, callee = literal(inner.Args), inner.Func
		f.named[inner] = true
	} else {
		s.name = literal(n.Args)
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

// computed is a place that may give access to any port and any network.
func (f *finder) computed(expr ast.Expr) AllowSite {
	return AllowSite{Place: f.script.At(expr, 0), Door: f.door, Prefix4: Computed, Prefix6: Computed, Other: true}
}

// allow reads the ports and networks of a call of allow.
func (f *finder) allow(n *ast.FuncCallExpr) AllowSite {
	site := AllowSite{Place: f.script.At(n, 0), Door: f.door, Literal: true}
	if len(n.Args) == 0 {
		return site
	}
	table, ok := n.Args[0].(*ast.TableExpr)
	if !ok {
		return f.computed(n)
	}
	for _, field := range table.Fields {
		key, ok := field.Key.(*ast.StringExpr)
		if !ok {
			return f.computed(n)
		}
		switch key.Value {
		case "port":
			site.Ports, ok = literalPorts(field.Value)
			site.Literal = site.Literal && ok
			site.sorted = slices.SortedFunc(slices.Values(site.Ports), comparePorts)
		case "source":
			site.Other = true
		case "prefix4":
			site.Prefix4 = literalLength(field.Value)
		case "prefix6":
			site.Prefix6 = literalLength(field.Value)
		}
	}
	if !site.Literal {
		site.Ports = nil
	}
	return site
}

// literalLength reads the length of a network. [Computed]: the text does not
// have it.
func literalLength(expr ast.Expr) int {
	if n, ok := expr.(*ast.NumberExpr); ok {
		if length, err := strconv.Atoi(n.Value); err == nil && length > 0 {
			return length
		}
	}
	return Computed
}

// literalPorts reads a port or a list of ports. It fails when one of them is
// not in the text.
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

// literal returns the first of the arguments when it is a string literal, else
// "".
func literal(arguments []ast.Expr) string {
	if len(arguments) > 0 {
		if s, ok := arguments[0].(*ast.StringExpr); ok {
			return s.Value
		}
	}
	return ""
}

// lastName returns "hours" for the variable hours and for the field
// times.hours; "" for other expressions.
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
