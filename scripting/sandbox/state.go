package sandbox

import (
	"time"

	lua "github.com/yuin/gopher-lua"
)

// A Config is what a State gets from its host. Every field may be zero.
type Config struct {
	Load    *Budget                             // of the set; nil: LoadSteps for this script alone
	Call    int64                               // the steps of a call; zero: CallSteps
	Older   bool                                // calls cost what they did before there were steps
	Require func(name string) (*Program, error) // what require "name" loads; nil: there are no modules
	Print   func(line int, text string)         // what print prints, with the script's line; nil: nothing
	Random  func() float64                      // in [0,1), for math.random; nil: math.random is an error
	// Backstop is how long a Call may take by the clock; 0: any time. It is for a host that must go
	// on. Where a call is stopped depends on the machine, so the host must remember that it was.
	Backstop time.Duration
	// Ran is called when another line is about to run, with its file; nil: nobody asked. The lines
	// are among those of [Program.Lines], and ends of functions. It makes scripts several times
	// slower.
	Ran func(file string, line int)
}

// A State is one script, loaded. It is not safe for concurrent use. Its owner closes it.
//
// The order of use is New, SetGlobal any number of times, Run once, Call any number of times. A
// State that is Broken does nothing more.
type State struct {
	cfg     Config
	l       *lua.LState
	budget  *Budget // of the Run or Call that is under way, or was last
	own     Budget  // of calls
	before  int64   // the steps of the budget when it began
	clock   backstop
	follows *follower // nil: nobody asked for the lines that run
	broken  bool      // a panic came out of the machine, so its stack cannot be trusted any more

	loading bool
	running bool // a Run or Call is under way: a Call from within shares its budget
	calls   int  // how many there were; an iterator of gmatch works in one of them only

	given      map[string]bool // the globals of the host
	declared   map[string]bool // the globals that scripts have assigned, if only nil
	hidden     []lua.LValue    // the hidden functions, in their order, without the last
	ipairsStep lua.LValue
	programs   map[string]*Program // that ran, by name
	main       string              // the name of the program that Run got
	modules    modules

	frozen map[*lua.LTable]origin  // read-only tables; see freeze.go
	known  map[*lua.LFunction]bool // functions whose captured values are frozen
	cells  []cell                  // captured variables that a call might change

	stacks []*lua.LState // one for each level of pcall, made when first needed
	depth  int           // the level of pcall that is running
}

// L returns the Lua state, for making tables, functions and userdata. Scripts run by Run and Call
// only: the methods of LState would run them without a budget. A Go function that a script calls
// must use the LState that it was given, since each level of pcall has its own.
func (s *State) L() *lua.LState { return s.l }

// Current returns the stack that is running, for host code that has no LState at hand. An error
// must be raised on this stack: on another one it would unwind calls that are not running.
func (s *State) Current() *lua.LState { return s.current() }

// current returns the stack that is running.
func (s *State) current() *lua.LState {
	if s.depth == 0 {
		return s.l
	}
	return s.stacks[s.depth-1]
}

// Broken reports whether the Lua machine has panicked, by a fault of its own or of a host function.
// Run and Call of such a State fail at once. Its owner makes a new State and runs the program
// again.
func (s *State) Broken() bool { return s.broken }

// Steps returns what the latest Run or Call used, with a fixed price of the call itself. It depends
// on the program and its arguments alone, so a replay uses the same, unless the clock stopped the
// call.
func (s *State) Steps() int64 { return callSteps + s.budget.used() - s.before }

// callSteps is the price of a call without instructions, some 3 µs with its arguments and results.
const callSteps = 100

// Charge counts work of a host function, in steps and in bytes that it allocates, and raises a Lua
// error when the budget is used up. The host calls it before the work, and only in functions that a
// script calls: the error unwinds the Go stack by a panic.
func (s *State) Charge(steps, bytes int64) { s.charge(s.current(), steps, bytes) }

// Surcharge is Charge for what had no price in older versions: a call of an older set does not pay
// it. See [Config.Older].
func (s *State) Surcharge(steps, bytes int64) { s.surcharge(s.current(), steps, bytes) }

func (s *State) charge(l *lua.LState, steps, bytes int64) {
	if !s.budget.charge(steps, bytes) {
		l.RaiseError("%s", s.budget.message())
	}
}

func (s *State) surcharge(l *lua.LState, steps, bytes int64) {
	if !s.budget.older {
		s.charge(l, steps, bytes)
	}
}

// modules is what require has loaded.
type modules struct {
	values  map[string]lua.LValue // by name
	loading []string              // the modules that are being loaded, the outermost first
}

// maxValues is how many values a function returns at most. More would overflow the registers of the
// machine (see options in run.go).
const maxValues = 4_000

// errorIn returns an Error with the line of the source, when the file is one of this State's.
func (s *State) errorIn(file string, line int, message string) *Error {
	if p := s.programs[file]; p != nil {
		return p.errorAt(line, 0, "%s", message)
	}
	return &Error{File: file, Line: line, Message: message}
}
