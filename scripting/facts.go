package scripting

import (
	"regexp"
	"strconv"
	"strings"

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
	// Prefix4 and Prefix6 are the lengths of the networks around the source that
	// it widens the access to: 0 when it does not, or [Computed].
	Prefix4, Prefix6 int
}

// A CloseSite is a place in a script that closes a door by name.
type CloseSite struct {
	Place
	Door   string // the registration that it stands in; "" when it stands in none
	Target string // "" when it is computed
}

// A Suppression is a comment "-- sesame:allow ID reason": the finding ID of a
// lint is meant on this line, or, where a comment stands alone, on the first line
// behind it and the comments that follow it.
type Suppression struct {
	Place
	Target     int // the line that it is about
	ID, Reason string
}

var suppression = regexp.MustCompile(`--+\s*sesame:allow\s+(\S+)\s*(.*)`)

func suppressions(path string, lines []string) []Suppression {
	return commentsAllowing(path, lines, suppression, "--")
}

func commentsAllowing(path string, lines []string, form *regexp.Regexp, comment string) []Suppression {
	var found []Suppression
	for i, line := range lines {
		if match := form.FindStringSubmatchIndex(line); match != nil {
			found = append(found, Suppression{
				Place:  Place{path, i + 1, match[0] + 1},
				Target: target(lines, i, comment),
				ID:     line[match[2]:match[3]],
				Reason: strings.TrimSpace(line[match[4]:match[5]]),
			})
		}
	}
	return found
}

// target returns the number of the line that a comment in line i is about.
func target(lines []string, i int, comment string) int {
	for i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), comment) {
		i++
	}
	return i + 1
}

// A site is a call of the API as the script has it: sesame.window { ... }, or
// sesame.door "ssh" { ... }.
type site struct {
	kind  string // "window", "door"
	name  string // "ssh"; "" when there is none, or it is computed
	bound string // the variable or field that the result is assigned to
	line  int
	table *ast.TableExpr // nil when it is no literal
}

// facts is what a parsed script tells without being run.
type facts struct {
	sites  []site
	allows []AllowSite
	closes []CloseSite
}

// site finds the call of a kind that a line makes, and nil when there is none
// or more than one: a place that might be wrong is not given.
func (f *facts) site(line int, kind, name string) *site {
	var found *site
	for i := range f.sites {
		s := &f.sites[i]
		if s.line != line || s.kind != kind || s.name != "" && s.name != name {
			continue
		}
		if found != nil {
			return nil
		}
		found = s
	}
	return found
}

// findFacts reads the tree of a script.
func findFacts(source *source, chunk []ast.Stmt) *facts {
	f := &finder{source: source, bound: map[ast.Expr]string{}, options: map[ast.Expr]bool{}, named: map[ast.Expr]bool{}}
	for _, statement := range chunk {
		walk(statement, f.visit)
	}
	return &f.facts
}

type finder struct {
	facts
	source  *source
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
			f.allows = append(f.allows, f.computed(n))
		case "close":
			f.closes = append(f.closes, CloseSite{Place: f.source.at(n, 0), Door: f.door})
		}
	}
	descend()
	f.door = outside
}

func (f *finder) call(n *ast.FuncCallExpr) {
	switch n.Method {
	case "allow":
		f.allows = append(f.allows, f.allow(n))
	case "close":
		f.closes = append(f.closes, CloseSite{Place: f.source.at(n, 0), Door: f.door, Target: literal(n.Args, 0)})
	}
	s, ok := f.api(n)
	if !ok {
		return
	}
	if s.table != nil {
		f.options[s.table] = true
	}
	f.sites = append(f.sites, s)
	if s.kind == "door" || s.kind == "listen" {
		f.door = s.name
	}
}

// api recognises a call of the API, alone or with its name first.
func (f *finder) api(n *ast.FuncCallExpr) (site, bool) {
	if n.Func == nil || f.named[n] {
		return site{}, false
	}
	s := site{line: n.Line(), bound: f.bound[n]}
	callee := n.Func
	if inner, ok := callee.(*ast.FuncCallExpr); ok && inner.Func != nil {
		s.name, callee = literal(inner.Args, 0), inner.Func
		f.named[inner] = true
	} else {
		s.name = literal(n.Args, 0)
	}
	member, ok := callee.(*ast.AttrGetExpr)
	if !ok || lastName(member.Object) != "sesame" {
		return site{}, false
	}
	if s.kind = lastName(member); len(n.Args) > 0 {
		s.table, _ = n.Args[0].(*ast.TableExpr)
	}
	return s, true
}

// computed is an allow of which nothing is known.
func (f *finder) computed(expr ast.Expr) AllowSite {
	return AllowSite{Place: f.source.at(expr, 0), Door: f.door, Prefix4: Computed, Prefix6: Computed}
}

// allow reads what a call can name.
func (f *finder) allow(n *ast.FuncCallExpr) AllowSite {
	site := AllowSite{Place: f.source.at(n, 0), Door: f.door, Literal: true}
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
