package sandbox

import (
	"errors"
	"fmt"

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
}

// New returns a state with the libraries and nothing loaded.
func New(cfg Config) *State {
	cfg.Load, cfg.Call = cfg.Load.or(defaultLoad), cfg.Call.or(defaultCall)
	s := &State{cfg: cfg}
	s.l = lua.NewState(lua.Options{
		SkipOpenLibs:     true,
		CallStackSize:    120,
		RegistrySize:     1024,
		RegistryMaxSize:  64 << 10,
		RegistryGrowStep: 1024,
	})
	s.l.SetContext(&s.budget)
	return s
}

// L returns the Lua state, for making tables, functions and userdata. Run scripts with Run and Call only.
func (s *State) L() *lua.LState { return s.l }

// SetGlobal gives scripts a value. A table, and all that is reachable from it, becomes read-only to them.
func (s *State) SetGlobal(name string, v lua.LValue) { s.l.G.Global.RawSetString(name, v) }

// Run loads a program, under the load limits. Afterwards its globals are locked, and what it made is read-only.
func (s *State) Run(p *Program) error {
	s.budget.start(s.cfg.Load)
	_, err := s.run(s.l.NewFunctionFromProto(p.proto), 0, nil)
	return err
}

// Call calls a function of the loaded script under the call limits and returns that many results.
func (s *State) Call(fn *lua.LFunction, results int, args ...lua.LValue) ([]lua.LValue, error) {
	s.budget.start(s.cfg.Call)
	return s.run(fn, results, args)
}

func (s *State) run(fn *lua.LFunction, n int, args []lua.LValue) (results []lua.LValue, err error) {
	if s.broken {
		return nil, &Error{Message: "the Lua machine failed earlier and must be made anew", Cause: ErrBroken}
	}
	defer func() {
		if r := recover(); r != nil {
			s.broken = true
			err = &Error{Message: fmt.Sprintf("the Lua machine failed: %v", r), Cause: ErrBroken}
		}
	}()
	top := s.l.GetTop()
	defer s.l.SetTop(top)
	if err := s.l.CallByParam(lua.P{Fn: fn, NRet: n, Protect: true}, args...); err != nil {
		return nil, s.failure(err)
	}
	for i := range n {
		results = append(results, s.l.Get(top+1+i))
	}
	return results, nil
}

func (s *State) failure(err error) error {
	api := new(lua.ApiError)
	if !errors.As(err, &api) {
		return err
	}
	if api.Type == lua.ApiErrorPanic {
		s.broken = true
		return &Error{Message: "the Lua machine failed: " + api.Object.String(), Cause: ErrBroken}
	}
	return &Error{Message: api.Object.String(), Cause: s.budget.err}
}

// Broken reports whether the Lua machine has failed, by a fault of its own or of a host function. Such a state does nothing any more: its
// owner makes a new one and runs the program again.
func (s *State) Broken() bool { return s.broken }

// Spent returns what the latest Run or Call used. It depends on the program and its arguments alone.
func (s *State) Spent() (instructions, bytes int64) { return s.budget.instructions, s.budget.bytes }

// Charge counts work of a host function towards the limits, and raises a Lua error when they are passed. It is called
// only from functions that a script calls. A step as cheap as copying eight bytes is far less than an instruction: charge
// a sixteenth of such steps.
func (s *State) Charge(instructions, bytes int64) {
	if !s.budget.charge(instructions, bytes) {
		s.l.RaiseError("%s", s.budget.message())
	}
}

// Close frees the state.
func (s *State) Close() { s.l.Close() }
