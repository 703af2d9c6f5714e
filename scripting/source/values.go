package source

import "github.com/yuin/gopher-lua/ast"

// A ValueSite is a call that stores a value of its own for each source, for ever.
type ValueSite struct {
	Place
	Method string // "set" or "incr"
	Common bool   // in sesame.store, with the source in the key
}

// findValue notes a call of store:set or store:incr that has no ttl and stores for each source:
// attempt.store does, whatever the object is called, and so does sesame.store with a key that has
// the source in it. A store behind a variable is not found.
func (f *finder) findValue(n *ast.FuncCallExpr) {
	store, ok := n.Receiver.(*ast.AttrGetExpr)
	if !ok || lastName(store) != "store" || n.Method != "set" && n.Method != "incr" || len(n.Args) == 0 || len(n.Args) > 2 {
		return
	}
	if n.Method == "set" && len(n.Args) == 2 && isNil(n.Args[1]) { // it removes the value
		return
	}
	for _, argument := range n.Args {
		switch argument.(type) {
		case *ast.FuncCallExpr, *ast.Comma3Expr: // may stand for several values, the ttl among them
			if argument == n.Args[len(n.Args)-1] {
				return
			}
		}
	}
	object, _ := store.Object.(*ast.IdentExpr)
	common := object != nil && object.Value == "sesame"
	if !common || namesSource(n.Args[0]) {
		f.script.Values = append(f.script.Values, ValueSite{Place: f.script.At(n, 0), Method: n.Method, Common: common})
	}
}

func isNil(expr ast.Expr) bool {
	_, is := expr.(*ast.NilExpr)
	return is
}

// namesSource reports whether an expression reads a field called source.
func namesSource(expr ast.Expr) (found bool) {
	walk(expr, func(node any, descend func()) {
		if field, ok := node.(*ast.AttrGetExpr); ok && lastName(field) == "source" {
			found = true
		}
		descend()
	})
	return found
}
