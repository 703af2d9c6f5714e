// Package condition turns the options that scripts give, such as those of
// sesame.window, into conditions of doors.
//
// Each kind of condition is one file with a function that returns its [Kind].
// That declares the options, their documentation and how the condition is built
// from plain values. This package knows no Lua: package scripting reads the
// tables of scripts by these declarations.
package condition

import (
	"fmt"
	"time"

	"sesame/daemon/engine"
)

// A Kind is a kind of condition that scripts can make.
type Kind struct {
	Name    string // without "sesame."
	Type    string // the argument of a call, as it is written
	Doc     string // one sentence
	Example string
	Options []Option // beside name, which all kinds have
	Item    *Option  // what stands in the table without a key; nil: nothing may
	// Text means that a text alone stands for a table with that text.
	Text bool
	// NamesPart means that a refusal by a condition without a name names something
	// else: a condition within it, or a door. So it needs no name where a loop makes
	// several.
	NamesPart bool
	// Build makes a condition of parsed values. The text of the condition begins
	// with name. All required options have a value. The error is about the table
	// as a whole.
	Build func(name string, v Values) (engine.Condition, error)
}

// An Option is one key of the table of a condition.
type Option struct {
	Name     string
	Type     string // for documentation
	Default  string // for documentation; "" for none
	Doc      string // one sentence
	Required bool
	Expected string // for the message when the value has another type
	Numbers  bool   // a number is read as a text of digits
	// Parse reads the text that a script gave. When it and ReadFile are nil and
	// Zone is not set, the value is a condition.
	Parse func(text string) (any, error)
	// ReadFile reads a file that the value names: a path, or a list of paths. The
	// value is a list of what it returned. With Parse beside it, the value is a
	// text or a list of texts, in which "file" is the key of the paths; the list
	// then holds what both returned.
	//
	// The file belongs to the script set: it is read once, watched and recorded.
	// Its text is parsed once for all conditions, so nobody may change the text or
	// the result. The error is a [*FileError], or several that are joined.
	ReadFile func(path string, text []byte) (any, error)
	// Zone means that the value names a time zone. It is a *time.Location, whose
	// file belongs to the script set too.
	Zone  bool
	Limit int // of ReadFile: the most bytes of a file, 1 or 64 MiB; 0: 1 MiB
}

// A FileError is what is wrong with a line of a file.
type FileError struct {
	Line    int // from 1
	Message string
}

// Error returns "line 3: its message".
func (e *FileError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Values are those of a table, as [Option.Parse] returned them.
type Values struct {
	Named map[string]any
	List  []any
	// Nameless means that the script gave the condition no name, not even that of a
	// variable: its name is that of the kind.
	Nameless bool
}

// parser makes an [Option.Parse] of a function that returns one type.
func parser[T any](parse func(string) (T, error)) func(string) (any, error) {
	return func(text string) (any, error) { return parse(text) }
}

// named returns the value of an option, or other when the script gave none.
func named[T any](v Values, name string, other T) T {
	if value, ok := v.Named[name].(T); ok {
		return value
	}
	return other
}

// files returns what was read of the files that an option names.
func files[T any](v Values, name string) []T {
	read := named[[]any](v, name, nil)
	contents := make([]T, len(read))
	for i, content := range read {
		contents[i] = content.(T)
	}
	return contents
}

// list returns the entries of the list.
func list[T any](v Values) []T {
	items := make([]T, len(v.List))
	for i, item := range v.List {
		items[i] = item.(T)
	}
	return items
}

// Walk calls visit for each condition, and for those that it is made of. Such a
// condition has a method Members, which returns them.
func Walk(conditions []engine.Condition, visit func(engine.Condition)) {
	for _, c := range conditions {
		visit(c)
		if made, ok := c.(interface{ Members() []engine.Condition }); ok {
			Walk(made.Members(), visit)
		}
	}
}

// Count counts conditions, with those that they are made of.
func Count(conditions []engine.Condition) int {
	n := 0
	Walk(conditions, func(engine.Condition) { n++ })
	return n
}

// MayHold reports whether a condition can hold at a time of day. It is true for
// a condition that does not depend on the time. One that depends on nothing else
// has a method of this name, which is exact.
func MayHold(c engine.Condition, t time.Time) bool {
	timed, ok := c.(interface{ MayHold(t time.Time) bool })
	return !ok || timed.MayHold(t)
}
