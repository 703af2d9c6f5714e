package sandbox

import (
	"fmt"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A Config is what a State asks of its host. Every field may be zero.
type Config struct {
	Load, Call Limits                              // zero: 5,000,000 instructions and 64 MiB; 200,000 and 4 MiB
	Require    func(name string) (*Program, error) // what require "name" loads; nil: there are no modules
	Print      func(line int, text string)         // what print prints, with the script's line; nil: nothing
	Random     func() float64                      // in [0,1), for math.random; nil: math.random is an error
}

// A State is one script, loaded. It is not safe for concurrent use.
type State struct {
	cfg    Config
	l      *lua.LState
	budget budget
	broken bool

	loading bool
	running bool // a Run or Call is under way
	calls   int  // how many there were

	given      map[string]bool // the globals of the host
	declared   map[string]bool // the globals that scripts have assigned, if only nil
	hidden     []lua.LValue    // what the rewritten tree calls
	ipairsStep lua.LValue
	programs   map[string]*Program // that ran, by name
	modules    modules

	frozen map[*lua.LTable]origin
	known  map[*lua.LFunction]bool // their captured values are frozen
	cells  []cell

	stacks []*lua.LState // one for each level of pcall
	depth  int           // of pcall
}

// The machine's own limits. The stack of calls is small, and fixed: only so does its overflow raise
// an error that a script can be shown. The registers grow as far as the limits of a call let a
// script fill them, since the machine fails when they overflow in a tail call.
var options = lua.Options{
	SkipOpenLibs:     true,
	CallStackSize:    120,
	RegistrySize:     1024,
	RegistryMaxSize:  120 * (200 + 2*(maxValues+400)),
	RegistryGrowStep: 8192,
}

// New returns a state with the libraries and nothing loaded.
func New(cfg Config) *State {
	cfg.Load, cfg.Call = cfg.Load.or(defaultLoad), cfg.Call.or(defaultCall)
	s := &State{
		cfg:      cfg,
		l:        lua.NewState(options),
		given:    map[string]bool{},
		declared: map[string]bool{},
		programs: map[string]*Program{},
		modules:  modules{values: map[string]lua.LValue{}},
		frozen:   map[*lua.LTable]origin{},
		known:    map[*lua.LFunction]bool{},
	}
	s.l.SetContext(&s.budget)
	for _, h := range hidden {
		s.hidden = append(s.hidden, s.l.NewFunction(func(l *lua.LState) int { return h.function(s, l) }))
	}
	s.open()
	return s
}

// L returns the Lua state, for making tables, functions and userdata. Run scripts with Run and Call
// only; a function that a script calls uses the state that it was given.
func (s *State) L() *lua.LState { return s.l }

// SetGlobal gives scripts a value, before Run. A table, and all that is reachable from it, becomes
// read-only to them.
func (s *State) SetGlobal(name string, v lua.LValue) {
	s.given[name] = true
	s.l.G.Global.RawSetString(name, v)
	s.freeze(fromHost, v)
}

// Global returns a global, or nil where there is none. The Lua state's own GetGlobal panics then,
// as it raises for scripts.
func (s *State) Global(name string) lua.LValue { return s.l.G.Global.RawGetString(name) }

// Run loads a program, under the load limits. Afterwards its globals are locked, and what it made
// is read-only.
func (s *State) Run(p *Program) error {
	s.begin(s.cfg.Load)
	s.loading = true
	defer func() { s.loading, s.running = false, false }()
	s.programs[p.Name] = p
	main, err := s.protect(s.l.NewFunctionFromProto(p.proto), 1, s.hidden)
	if err == nil {
		_, err = s.protect(main[0].(*lua.LFunction), 0, nil)
	}
	if err != nil {
		return err
	}
	s.loading = false
	s.freeze(fromLoad, append(slices.Collect(maps.Values(s.modules.values)), s.l.G.Global)...)
	return s.undefined()
}

// undefined finds a global that a function reads and nobody has defined: after loading nobody will.
func (s *State) undefined() error {
	for _, name := range slices.Sorted(maps.Keys(s.programs)) {
		p := s.programs[name]
		for _, r := range p.reads {
			if s.Global(r.name) == lua.LNil && !s.declared[r.name] {
				return p.errorAtName(r.line, r.name, "%q is not defined", r.name)
			}
		}
	}
	return nil
}

// Call calls a function of the loaded script under the call limits and returns that many results.
// What a function that is called for the first time has captured becomes read-only. A Call within a
// Call counts towards the outer one.
func (s *State) Call(fn *lua.LFunction, results int, args ...lua.LValue) ([]lua.LValue, error) {
	if s.running {
		return s.callWithin(fn, results, args)
	}
	s.begin(s.cfg.Call)
	defer func() { s.running = false }()
	if !s.known[fn] {
		s.freeze(fromLoad, fn)
	}
	values, err := s.protect(fn, results, args)
	if changed := s.restore(); changed != nil && err == nil {
		return nil, changed
	}
	return values, err
}

func (s *State) callWithin(fn *lua.LFunction, n int, args []lua.LValue) ([]lua.LValue, error) {
	values, failed := s.attempt(s.current(), fn, args)
	if failed != nil {
		return nil, s.failure(&lua.ApiError{Type: lua.ApiErrorRun, Object: failed})
	}
	for len(values) < n {
		values = append(values, lua.LNil)
	}
	return values[:n], nil
}

func (s *State) begin(limits Limits) {
	s.budget.start(limits)
	s.running = true
	s.depth = 0
	s.calls++
}

// protect calls a function so that neither an error nor a panic gets past it.
func (s *State) protect(fn *lua.LFunction, n int, args []lua.LValue) (values []lua.LValue, err error) {
	if s.broken {
		return nil, brokenError("it failed before, and must be made anew")
	}
	defer func() {
		if r := recover(); r != nil {
			s.broken = true
			values, err = nil, brokenError(r)
		}
	}()
	l, depth := s.current(), s.depth
	defer func() { s.depth = depth }()
	top := l.GetTop()
	if err := l.CallByParam(lua.P{Fn: fn, NRet: n, Protect: true}, args...); err != nil {
		l.SetTop(top)
		return nil, s.failure(err)
	}
	for i := range n {
		values = append(values, l.Get(top+1+i))
	}
	l.SetTop(top)
	return values, nil
}

func brokenError(why any) *Error {
	return &Error{Message: fmt.Sprintf("the Lua machine failed: %v", why), Cause: ErrBroken}
}

// Current returns the stack that is running, for a function of the host that is
// not given one: an error must be raised there and nowhere else.
func (s *State) Current() *lua.LState { return s.current() }

// current returns the stack that is running.
func (s *State) current() *lua.LState {
	if s.depth == 0 {
		return s.l
	}
	return s.stacks[s.depth-1]
}

// Broken reports whether the Lua machine has failed, by a fault of its own or of a host function.
// Such a state does nothing any more: its owner makes a new one and runs the program again.
func (s *State) Broken() bool { return s.broken }

// Used returns what the latest Run or Call used. It depends on the program and its arguments alone.
func (s *State) Used() (instructions, bytes int64) { return s.budget.instructions, s.budget.bytes }

// Charge counts work of a host function towards the limits, and raises a Lua error when they are
// passed. Only functions that a script calls may use it. An instruction is about 30 ns of work.
func (s *State) Charge(instructions, bytes int64) { s.charge(s.current(), instructions, bytes) }

func (s *State) charge(l *lua.LState, instructions, bytes int64) {
	if !s.budget.charge(instructions, bytes) {
		l.RaiseError("%s", s.budget.message())
	}
}

// Close frees the state.
func (s *State) Close() {
	for _, stack := range s.stacks {
		stack.Close()
	}
	s.l.Close()
}
