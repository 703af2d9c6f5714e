package scripting

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting/sandbox"
	"sesame/scripting/source"
)

// A value is a Lua value that a script gave for an option, with its place in
// the text. The methods that read it report a problem and return false when it
// is not what they expect.
type value struct {
	lua    lua.LValue
	what   string // name of the option, for messages
	at     source.Place
	source *source.Script // nil when at is not known
	script *script        // that runs and pays for reading the value; nil: a text is judged
	expr   ast.Expr       // in the text; nil when it is not known
	report func(source.Place, string)
	// number is the position, from 1, in a list that does not stand in the call, but was made
	// before or by a module. 0: the place tells the value.
	number int
	// ranBefore allows what earlier versions allowed. See [Options.RanBefore].
	ranBefore bool
}

// fail reports a problem at the place of the value.
func (v value) fail(format string, args ...any) {
	what := v.what
	if v.number > 0 {
		what += fmt.Sprintf(": entry %d", v.number)
	}
	v.report(v.at, what+": "+fmt.Sprintf(format, args...))
}

func (v value) expected(what string) { v.fail("expected %s, got %s", what, describe(v.lua)) }

// as reads a value of one Lua type. The text what is for values of other types:
// expected what.
func as[T lua.LValue](v value, what string) (T, bool) {
	result, ok := v.lua.(T)
	if !ok {
		v.expected(what)
	}
	return result, ok
}

func (v value) text() (string, bool) {
	s, ok := as[lua.LString](v, "a string")
	return string(s), ok
}

func (v value) boolean() (bool, bool) {
	b, ok := as[lua.LBool](v, "true or false")
	return bool(b), ok
}

// integer reads a whole number from low to high.
func (v value) integer(low, high int) (int, bool) {
	n, ok := v.lua.(lua.LNumber)
	if !ok || float64(n) != math.Trunc(float64(n)) || n < lua.LNumber(low) || n > lua.LNumber(high) {
		v.expected(fmt.Sprintf("a whole number from %d to %d", low, high))
		return 0, false
	}
	return int(n), true
}

// function reads a function of the script. Built-in functions cannot be called
// by the engine.
func (v value) function() (*lua.LFunction, bool) {
	fn, ok := v.lua.(*lua.LFunction)
	if !ok || fn.IsG {
		v.expected("a function")
		return nil, false
	}
	return fn, true
}

// has reports whether v is a table with a value for a name.
func (v value) has(name string) bool {
	table, ok := v.lua.(*lua.LTable)
	return ok && table.RawGetString(name) != lua.LNil
}

// parsed reads a string with a function. The text what is for values of other
// types: expected what.
func parsed[T any](v value, what string, parse func(string) (T, error)) (result T, ok bool) {
	s, ok := as[lua.LString](v, what)
	if !ok {
		return result, false
	}
	v.pay(parsedSteps+int64(len(s))/16, parsedBytes)
	result, err := parse(string(s))
	if err != nil {
		v.fail("%v%s", err, spelling.Hint(string(s)))
	}
	return result, err == nil
}

// duration reads a text such as "8s". A number is refused, because its unit
// would be a guess.
func (v value) duration() (time.Duration, bool) {
	if n, ok := v.lua.(lua.LNumber); ok {
		v.fail(`expected a duration in a string, got the number %s: write %s`, numberText(n), seconds(n))
		return 0, false
	}
	return parsed(v, `a duration such as "8s"`, ParseDuration)
}

// seconds writes a number of seconds as a duration, in the largest unit too.
func seconds(n lua.LNumber) string {
	text := strconv.Quote(numberText(n) + "s")
	for _, unit := range []struct {
		seconds lua.LNumber
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}} {
		if whole := n / unit.seconds; whole >= 1 && whole == lua.LNumber(math.Trunc(float64(whole))) {
			return text + " or " + strconv.Quote(numberText(whole)+unit.name)
		}
	}
	return text
}

// port reads "tcp/22", or the number of a TCP port.
func (v value) port() (packet.Port, bool) {
	if n, ok := v.lua.(lua.LNumber); ok {
		v.lua = lua.LString(numberText(n))
	}
	return parsed(v, `a port such as "tcp/22", "udp/53" or 22`, packet.ParsePort)
}

// maxPorts bounds a list of ports.
const maxPorts = 1024

// ports reads one port, or a list of different ports. The result of an empty
// list is empty and not nil.
func (v value) ports() ([]packet.Port, bool) {
	if _, ok := v.lua.(*lua.LTable); !ok {
		port, ok := v.port()
		return []packet.Port{port}, ok
	}
	items, ok := v.items("a port or a list of ports")
	if len(items) > maxPorts {
		v.fail("expected at most %d ports, got %d", maxPorts, len(items))
		return nil, false
	}
	ports, seen := make([]packet.Port, 0, len(items)), make(map[packet.Port]bool, len(items))
	for _, item := range items {
		port, good := item.port()
		if good && seen[port] {
			item.fail("%s stands twice in the list", port)
			good = false
		}
		seen[port] = true
		ports, ok = append(ports, port), ok && good
	}
	return ports, ok
}

// oneOf reads a string that must be one of names, and returns its index.
func (v value) oneOf(names ...string) (int, bool) {
	s, ok := v.lua.(lua.LString)
	i := slices.Index(names, string(s))
	switch {
	case !ok:
		v.expected("one of " + quotedList(names))
	case i < 0:
		v.fail("unknown value %q%s%s", string(s), spelling.DidYouMean(string(s), names), spelling.Hint(string(s)))
	}
	return max(i, 0), ok && i >= 0
}

// path reads the name of a file.
func (v value) path(example string) (string, bool) {
	s, ok := as[lua.LString](v, fmt.Sprintf("a path such as %q", example))
	return string(s), ok
}

// readName reads a name of 1 to 127 bytes. It is shown to people, so it has no
// control characters, and the engine uses it as a key.
func readName(v value) (string, bool) {
	name, ok := v.text()
	switch {
	case !ok:
		return "", false
	case len(name) < 1 || len(name) > 127:
		v.fail("expected 1 to 127 bytes, got %d", len(name))
		return "", false
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		v.fail("%q is not plain text: expected UTF-8 without control characters", name)
		return "", false
	}
	return name, true
}

// items reads a table that is a list and nothing else.
func (v value) items(what string) ([]value, bool) {
	table, ok := as[*lua.LTable](v, what)
	if !ok {
		return nil, false
	}
	var items []value
	text := v.layout()
	for key, element := range v.entries(table) {
		switch {
		case key == lua.LNumber(len(items)+1):
			items = append(items, v.item(text, len(items), element))
		case isIndex(key):
			v.gap(text, table, len(items))
			return nil, false
		default:
			v.fail("expected %s, got a table with the key %s", what, keyText(key))
			return nil, false
		}
	}
	return items, v.cut(text, table, len(items))
}

// isIndex reports whether a key can be that of an entry of a list.
func isIndex(key lua.LValue) bool {
	n, ok := key.(lua.LNumber)
	return ok && n >= 1 && n == lua.LNumber(math.Trunc(float64(n)))
}

// gap reports that the i-th entry of a list, counted from 0, is nil, and is not
// the last.
func (v value) gap(text *source.Layout, table *lua.LTable, i int) {
	at, named := v.at, ""
	if i < len(text.Items) {
		at, named = text.Items[i].At, nilText(text.Items[i].Expr)
	}
	v.report(at, fmt.Sprintf("%s: entry %d of the list is nil%s", v.what, i+1, named))
}

// cut reports entries at the end of a list that are nil, which Lua drops
// without a word. It returns false when there are some. The result of a call may
// be nothing.
func (v value) cut(text *source.Layout, table *lua.LTable, i int) bool {
	if v.ranBefore || i >= len(text.Items) || table.Len() > i {
		return true
	}
	switch text.Items[i].Expr.(type) {
	case *ast.FuncCallExpr, *ast.Comma3Expr:
		return true
	}
	v.gap(text, table, i)
	return false
}

// nilText says why an expression may be nil.
func nilText(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.IdentExpr:
		return fmt.Sprintf(": the variable %s is nil here; is it the one that is meant, and did it get its value above?", e.Value)
	case *ast.AttrGetExpr:
		if key, ok := e.Key.(*ast.StringExpr); ok {
			return fmt.Sprintf(": nothing has the field %q here; is it spelled so?", key.Value)
		}
		return ": the table has nothing there; lists begin at 1"
	case *ast.NilExpr:
		return ": leave it out"
	}
	return ""
}

// What reading an entry of a table costs, and a text that is parsed, such as a network: some 300 ns
// and what is kept of it. Of slots without an entry a step is enough for several.
const (
	entrySteps   = 4
	parsedSteps  = 8
	parsedBytes  = 96
	slotsOfAStep = 8
)

// pay charges the script for reading a value.
func (v value) pay(steps, bytes int64) {
	if v.script != nil {
		v.script.state.Surcharge(steps, bytes)
	}
}

// entries iterates over a table as the function entries does, and charges for it.
func (v value) entries(table *lua.LTable) func(yield func(lua.LValue, lua.LValue) bool) {
	return func(yield func(lua.LValue, lua.LValue) bool) {
		v.pay(sandbox.Slots(table)/slotsOfAStep, 0)
		for key, element := range entries(table) {
			if v.pay(entrySteps, 0); !yield(key, element) {
				return
			}
		}
	}
}

// A layoutKey identifies a table in the text with where it begins.
type layoutKey struct {
	expr ast.Expr
	at   source.Place
}

// layout returns the places of the entries of a table. A registration in a loop finds them once.
func (v value) layout() *source.Layout {
	if v.script == nil || v.script.layouts == nil {
		return v.source.Layout(v.expr, v.at)
	}
	key := layoutKey{v.expr, v.at}
	known := v.script.layouts[key]
	if known == nil {
		known = v.source.Layout(v.expr, v.at)
		v.script.layouts[key] = known
	}
	return known
}

// item returns the i-th element of a list, counted from 0.
func (v value) item(text *source.Layout, i int, element lua.LValue) value {
	child := v
	child.lua, child.expr, child.number = element, nil, 0
	if i < len(text.Items) {
		child.expr, child.at = text.Items[i].Expr, text.Items[i].At
	} else {
		child.number = i + 1
	}
	return child
}

// field returns the element that a table has for a name.
func (v value) field(text *source.Layout, name string, element lua.LValue) value {
	child := v
	child.lua, child.what, child.expr, child.number = element, name, nil, 0
	if found, ok := text.Fields[name]; ok {
		child.expr, child.at = found.Expr, found.At
	}
	return child
}

// key returns the place of a key of a table.
func (v value) key(text *source.Layout, name string) source.Place {
	if at, ok := text.Keys[name]; ok && at.Line > 0 {
		return at
	}
	return v.at
}

// repeated reports the keys that stand twice in the text. Lua would use the
// later one and report nothing.
func (v value) repeated(text *source.Layout) {
	for _, key := range text.Twice {
		v.report(key.At, fmt.Sprintf("%s stands twice in %s", key.Name, v.what))
	}
}
