// Package mistake turns the texts of scripts into the mistakes in their functions: uses of the API
// that fail when they run.
//
// A function that nobody calls until somebody knocks is never tried while it loads. So this package
// follows the values that functions are given through the text, and compares what is done with them
// with the API. It knows no name of the API itself: package scripting hands over its table.
//
// A condition counts as true for Lua, so this package also finds where the text tests one.
//
// A mistake is certain when the value can only be the one that the function is given, and the use
// fails each time that it runs. It is probable when the value came through a variable, another
// function or a module.
package mistake

import (
	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/source"
)

// An API is what scripts can name.
type API struct {
	// Objects has the table sesame and what functions are given, by name.
	Objects map[string]*Object
	// Hooks are the kinds of functions that scripts register.
	Hooks []Hook
	// Asks is the method of objects that asks a condition for its answer: "holds".
	Asks string
}

// A Hook is one kind of function that scripts register. The zero Hook is none.
type Hook struct {
	Name  string // "on_open"
	Gives string // the object that the function is given: "attempt"
	// Result returns what is wrong with a first result; "": nothing.
	Result func(lua.LValue) string
}

// An Object is a value of the API with its members.
type Object struct {
	Name    string
	Members map[string]*Member
	// Unknown returns the message for a name that is no member.
	Unknown func(name string) string
}

// A MemberKind is how a member is used.
type MemberKind int

// The kinds of members.
const (
	Field        MemberKind = iota // attempt.source
	Method                         // attempt:allow()
	Registration                   // sesame.door, for the top level
)

// A Member is one name of an object.
type Member struct {
	Kind  MemberKind
	Holds string // the object in a field; "" for a plain value
	// Functions has the options of a registration whose values are functions, with the index of
	// their hook. "" stands for an entry without a name, and "#2" for the second argument.
	Functions map[string]int
	Condition bool // a registration that makes a condition
	// Barred returns why the functions of a hook cannot call the method; "": they can. It and
	// Judge are set for methods alone.
	Barred func(hook int) string
	// Judge reports what is wrong with the arguments of a method in every run.
	Judge func(*Call)
}

// A Call is one call of a method in the text.
type Call struct {
	File *source.Script
	At   source.Place // of the name of the method
	Hook int          // of the function that calls; 0: it is not known
	Args []Arg
	// Open means that more arguments may follow, which the text does not have.
	Open   bool
	Report func(source.Place, string)
	// Doubt makes all that is reported for the call probable.
	Doubt func()
}

// An Arg is one argument of a call.
type Arg struct {
	Expr  ast.Expr
	At    source.Place
	Value lua.LValue // see [Known]
	// Origin is the place of the call of the API that made the value, such as sesame.command { };
	// zero when the text does not tell.
	Origin Origin
	// Entries are the origins of the named entries of a table, as far as the text tells them.
	Entries map[string]Origin
}

// An Origin is the call of the API that a variable has its value from.
type Origin struct {
	Kind string // "command"
	File string
	Line int
}

// A Mistake is one use that fails.
type Mistake struct {
	source.Place
	Message string // what is wrong, and what to write instead
	Certain bool
}
