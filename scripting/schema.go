package scripting

import (
	"slices"
	"strconv"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/spelling"
)

// An Option is one key of a table that scripts give to the API.
type Option struct {
	Name    string
	Type    string // what to write, in the words of the documentation
	Default string // what holds when it is left out; "" for nothing
	Doc     string // one sentence
}

// Required stands in the place of a default.
const Required = "required"

// An option is an [Option] and what reads it into T.
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

// read reads a table of options strictly. Its list entries go to item, and are
// wrong when that is nil. It reports whether v is a table at all.
func read[T any](v value, schema []option[T], item func(v value, into *T), into *T) bool {
	table, ok := v.lua.(*lua.LTable)
	if !ok {
		v.expected("a table of options")
		return false
	}
	text := v.layout()
	v.repeated(text)
	known := make([]string, len(schema))
	for i, o := range schema {
		known[i] = o.Name
	}
	position := 0
	for key, element := range entries(table) {
		name, isName := key.(lua.LString)
		i := slices.Index(known, string(name))
		switch {
		case isName && i >= 0:
			schema[i].read(v.field(text, known[i], element), into)
		case isName:
			v.report(v.key(text, string(name)), "unknown option "+strconv.Quote(string(name))+" in "+v.what+spelling.DidYouMean(string(name), known))
		case item != nil && key == lua.LNumber(position+1):
			item(v.item(text, position, element), into)
			position++
		case item != nil:
			v.fail("the list has a gap before its entry %s", keyText(key))
		default:
			v.fail("expected options such as %s = ..., got an entry without a name", known[0])
			return true
		}
	}
	for _, o := range schema {
		if o.Default == Required && table.RawGetString(o.Name) == lua.LNil {
			v.fail("%s is missing: expected %s", o.Name, o.Type)
		}
	}
	return true
}
