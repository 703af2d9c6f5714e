package source

import (
	"cmp"
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// An AllowSite is a place in a script that gives access: a call of allow, or a
// mention of it that may become a call.
type AllowSite struct {
	Place
	Door string // the registration that contains it; "" outside of registrations
	// Literal is set when the text has all ports: Ports, or the guards of the
	// door when Ports is empty.
	Literal bool
	Ports   []packet.Port
	// Prefix4 and Prefix6 are the lengths of the networks around the source
	// that get access. 0: the source alone. Computed: the text does not have
	// the length.
	Prefix4, Prefix6 int
	// Other is set when the access may be for the source that completed another
	// door.
	Other bool

	sorted []packet.Port // Ports, to be found
}

// A CloseSite is a place in a script that ends the grants of a door: a call of
// close, or a mention of it.
type CloseSite struct {
	Place
	Door   string // the registration that contains it; "" outside of registrations
	Target string // "" when it is computed
}

// An AskSite is a place in a script that may ask a database about a source: a condition such as
// sesame.country, or a field such as attempt.country.
type AskSite struct {
	Place
	Kind engine.FactKind
}

// Computed takes the place of a number that the text does not have as a
// literal.
const Computed = -1

// A Call is a call of the API in the text, such as sesame.window { ... } or
// sesame.door "ssh" { ... }.
type Call struct {
	Bound string         // the variable or field that the result is assigned to; "" for none
	Table *ast.TableExpr // nil when it is no literal

	kind string // "window", "door"
	name string // "ssh"; "" when there is none, or it is computed
	line int
}

// hasName reports whether the table of a call has the key name.
func (c *Call) hasName() bool {
	return c.Table != nil && slices.ContainsFunc(c.Table.Fields, func(f *ast.Field) bool {
		key, ok := f.Key.(*ast.StringExpr)
		return ok && key.Value == "name"
	})
}

// Computed reports whether the text does not have the name of the call.
func (c *Call) Computed() bool { return c.name == "" }

// reachedFrom reports whether functions of a door may use a call in a
// registration: their own registration, or "", outside of all registrations.
func reachedFrom(door, registration string) bool { return registration == "" || registration == door }

// Names reports whether a door may give access to a port here. guarded means that the door guards
// the port. A function may ask for many ports beside many sites, so no list is walked.
func (a AllowSite) Names(door string, port packet.Port, guarded bool) bool {
	switch {
	case !reachedFrom(door, a.Door):
		return false
	case !a.Literal:
		return true
	case len(a.Ports) == 0:
		return guarded
	}
	_, found := slices.BinarySearchFunc(a.sorted, port, comparePorts)
	return found
}

func comparePorts(a, b packet.Port) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Number, b.Number))
}

// Spans reports whether access here may be for networks of these lengths. A
// network of the text allows every smaller network in it. 0: the source alone.
func (a AllowSite) Spans(bits4, bits6 int) bool {
	return within(bits4, a.Prefix4, 32) && within(bits6, a.Prefix6, 128)
}

func within(wanted, written, whole int) bool {
	return written == Computed || cmp.Or(wanted, whole) >= cmp.Or(written, whole)
}

// Names reports whether functions of a door may close the target here.
func (c CloseSite) Names(door, target string) bool {
	return reachedFrom(door, c.Door) && (c.Target == "" || c.Target == target)
}
