package scripting

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/spelling"
	"sesame/scripting/mistake"
)

// An Option documents one key of a table that scripts give to the API.
type Option struct {
	Name    string
	Type    string // the values that it can have, in words
	Default string // the value when it is left out, in words; "" for none
	Doc     string // one sentence
}

// Required takes the place of the default of an option that must be given.
const Required = "required"

// An option is an [Option] with the function that reads its value into T.
type option[T any] struct {
	Option
	read func(v value, into *T)
}

// documented returns the documentation of a schema.
func documented[T any](schema []option[T]) []Option {
	options := make([]Option, len(schema))
	for i, o := range schema {
		options[i] = o.Option
	}
	return options
}

// read reads a table of options. Unknown and missing options are problems.
// Entries without a key go to item, in their order; when item is nil, they are
// problems too. The result is false when v is no table.
func read[T any](v value, schema []option[T], item func(v value, into *T), into *T) bool {
	table, ok := v.lua.(*lua.LTable)
	if !ok {
		v.noTable(item != nil)
		return false
	}
	text := v.layout()
	v.repeated(text)
	known := make([]string, len(schema))
	for i, o := range schema {
		known[i] = o.Name
	}
	position := 0
	for key, element := range v.entries(table) {
		name, isName := key.(lua.LString)
		i := slices.Index(known, string(name))
		switch {
		case !mistake.Whole(element) && (!isName || i >= 0): // the text does not tell
			position++
		case isName && i >= 0:
			schema[i].read(v.field(text, known[i], element), into)
		case isName:
			v.report(v.key(text, string(name)), "unknown option "+strconv.Quote(string(name))+" in "+v.what+spelling.DidYouMean(string(name), known))
		case item != nil && key == lua.LNumber(position+1):
			item(v.item(text, position, element), into)
			position++
		case item != nil && isIndex(key):
			v.gap(text, table, position)
			position = int(key.(lua.LNumber))
		default:
			v.fail("expected options such as %s = ..., got an entry without a name", known[0])
			return true
		}
	}
	if item != nil {
		v.cut(text, table, position)
	}
	for _, o := range schema {
		if o.Default == Required && table.RawGetString(o.Name) == lua.LNil {
			v.fail("%s is missing: expected %s", o.Name, o.Type)
		}
	}
	return true
}

// noTable reports a value that stands where a table of options is expected.
func (v value) noTable(list bool) {
	instead := v.what + " { ... }"
	if text, ok := v.lua.(lua.LString); ok && list && len(text) <= 64 {
		instead = fmt.Sprintf("%s { %q }", v.what, string(text))
	}
	v.fail("expected a table of options, got %s: write %s", describe(v.lua), instead)
}
