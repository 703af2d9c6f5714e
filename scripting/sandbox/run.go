package sandbox

import (
	"cmp"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// The machine's own limits.
//
// The stack of calls is small and fixed. gopher-lua raises an error when a fixed stack overflows.
// With MinimizeStackMemory it would panic (autoGrowingCallFrameStack.Push), which breaks the State.
//
// The registers hold the arguments and local variables of all calls that are under way. When they
// overflow in a tail call the machine panics (callFrame, OP_TAILCALL). So they may grow as far as a
// script can fill them: 120 calls, each with 200 local variables (maxRegisters in compile.go) and
// twice the longest list of values.
var options = lua.Options{
	SkipOpenLibs:     true,
	CallStackSize:    120,
	RegistrySize:     1024,
	RegistryMaxSize:  120 * (200 + 2*(maxValues+400)),
	RegistryGrowStep: 8192,
}

// New returns a state with the libraries and without a script. It starts nothing.
func New(cfg Config) *State {
	cfg.Call = cmp.Or(cfg.Call, CallSteps)
	if cfg.Load == nil {
		cfg.Load = NewBudget(LoadSteps)
	}
	s := &State{
		cfg:      cfg,
		l:        lua.NewState(options),
		given:    map[string]bool{},
		declared: map[string]bool{},
		programs: map[string]*Program{},
		modules:  modules{values: map[string]lua.LValue{}},
		frozen:   map[*lua.LTable]origin{},
		known:    map[*lua.LFunction]bool{},
		clock:    backstop{after: cfg.Backstop},
	}
	if cfg.Ran != nil {
		s.follows = &follower{counter: counter{s}}
	}
	s.budget = &s.own
	s.l.SetContext(s.counter())
	for _, h := range hidden[:len(hidden)-1] {
		s.hidden = append(s.hidden, s.l.NewFunction(func(l *lua.LState) int { return h.function(s, l) }))
	}
	s.open()
	return s
}

// SetGlobal gives scripts a value. It must come before Run. A table, and all that is reachable from
// it, becomes read-only to scripts, and no script can assign the name.
func (s *State) SetGlobal(name string, v lua.LValue) {
	s.given[name] = true
	s.l.G.Global.RawSetString(name, v)
	s.freeze(fromHost, v)
}

// Global returns a global, or lua.LNil where there is none. LState.GetGlobal must not be used: it
// runs the metamethod that makes reading an undefined global an error.
func (s *State) Global(name string) lua.LValue { return s.l.G.Global.RawGetString(name) }

// Run loads a program under the budget for loading: it calls the compiled chunk with the hidden
// functions, and then the script's main function that the chunk returns. Afterwards no global can
// be assigned, and all that the program made is read-only.
//
// The error is an [*Error], or whatever error a function of the host raised. After an error the
// State must not be called.
func (s *State) Run(p *Program) error {
	s.begin(s.cfg.Load)
	s.loading = true
	s.budget.charge(0, stateBytes)
	defer func() { s.loading, s.running = false, false }()
	s.programs[p.Name], s.main = p, p.Name
	main, err := s.protect(s.l.NewFunctionFromProto(p.proto), 1, s.hiddenOf(p))
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

// stateBytes is what a State takes before anything runs in it.
const stateBytes = 80 << 10

// undefined returns an error for a global that some function reads and that nobody has defined.
// Globals are only assigned while loading, so it would fail at the first knock. A global that was
// assigned nil counts as defined.
func (s *State) undefined() error {
	for _, name := range slices.Sorted(maps.Keys(s.programs)) {
		p := s.programs[name]
		for _, r := range p.reads {
			if s.Global(r.name) == lua.LNil && !s.declared[r.name] {
				return p.undefined(r.line, r.name)
			}
		}
	}
	return nil
}

// Call calls a function of the loaded script with a budget of its own, and returns exactly that
// many results. When the function is called for the first time, what it has captured becomes
// read-only. The error is as that of [State.Run], and the State can be called again unless it is
// Broken.
//
// A Call within a Call counts towards the budget of the outer one: otherwise a script could get a
// new budget from a host function that calls back.
func (s *State) Call(fn *lua.LFunction, results int, args ...lua.LValue) ([]lua.LValue, error) {
	if s.running {
		return s.callWithin(fn, results, args)
	}
	s.own.start(s.cfg.Call, s.cfg.Older)
	s.own.late, s.own.took = s.clock.begin(), s.cfg.Backstop
	s.begin(&s.own)
	defer func() { s.running = false; s.clock.end() }()
	if !s.known[fn] {
		s.freeze(fromLoad, fn)
	}
	values, err := s.protect(fn, results, args)
	if changed := s.restore(); changed != nil && err == nil {
		return nil, changed
	}
	return values, err
}

// callWithin is Call while another Call is under way. It runs on the stack of the next level of
// pcall, for the reason that State.attempt gives.
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

func (s *State) begin(budget *Budget) {
	s.budget, s.before = budget, budget.used()
	s.running = true
	s.depth = 0
	s.calls++
}

// protect calls a function so that neither an error nor a panic gets past it. LState.CallByParam
// catches what is raised while the machine runs. The recover here is for what gopher-lua panics
// with outside of that, such as a stack that overflows while arguments are pushed. After a panic
// the stack is in an unknown state, so the State is broken for good.
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

// Close frees the state.
func (s *State) Close() {
	for _, stack := range s.stacks {
		stack.Close()
	}
	s.l.Close()
}
