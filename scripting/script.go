package scripting

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/sandbox"
	"sesame/scripting/source"
)

// A script is a file of a set with its Lua state. While it loads, it fills a
// registration. Afterwards the engine calls its functions, one at a time and
// only from the goroutine that owns the engine.
type script struct {
	source  *source.Script
	scripts *source.Scripts
	api     []Object                     // that the Lua state gets
	options Options                      // among them the values for sesame.option
	doors   map[string]source.Place      // of the whole set; complete when all files are loaded
	confs   map[string]source.Place      // that earlier files read
	again   bool                         // it is started anew, for its functions alone
	read    map[fileKey]any              // what conditions read of referenced files
	layouts map[layoutKey]*source.Layout // of the tables in the text, while it loads

	state      *sandbox.State
	metatables map[string]*lua.LTable
	functions  []*lua.LFunction // those that the engine can call, see addFunction
	loading    *registration    // nil once the file is loaded
	current    *run             // nil while no function runs
	failed     error            // why it could not be started again
	steps      int64            // that its functions used, see [Set.Steps]

	owner    string       // under which values and delays are kept
	namedAt  source.Place // the call of sesame.script; zero: there is none
	timers   []string     // names of its handlers
	required []*source.Script
	allows   []source.AllowSite // the only places at which its doors give access
	closes   []source.CloseSite
}

// start makes a Lua state and runs the file in it. It returns what the file
// registered even when it fails, so that all problems can be reported.
func (s *script) start() (*registration, error) {
	registered := &registration{timersAt: map[string]source.Place{}, confs: map[string]source.Place{}, made: map[site]int{}, optionsAt: map[string]source.Place{}}
	s.loading, s.functions, s.required = registered, nil, nil
	s.layouts = map[layoutKey]*source.Layout{}
	defer func() { s.loading, s.layouts = nil, nil }()
	config := sandbox.Config{Older: s.options.Unpriced, Require: s.require, Print: s.printed, Random: s.random, Ran: s.options.Ran, Backstop: s.options.Backstop}
	if !s.again { // alone it needs less than with the others
		config.Load = s.scripts.Budget()
	}
	s.state = sandbox.New(config)
	s.install(s.api)
	if err := s.state.Run(s.source.Program); err != nil {
		return registered, err
	}
	s.finish()
	return registered, nil
}

// finish reports registrations with a name and without a table, such as
// sesame.door "ssh".
func (s *script) finish() {
	for _, p := range s.loading.pending {
		if !p.done {
			s.report(p.at, fmt.Sprintf("%s has no table of options: write %s { ... }", p, p))
		}
	}
}

// learn notes what the file and its modules can do, once it is loaded. Of the
// places in modules it takes those in doors that this script registered, and
// those outside of doors.
func (s *script) learn(registered *registration) {
	s.timers = slices.Sorted(maps.Keys(registered.timersAt))
	doors := map[string]bool{"": true}
	for _, door := range registered.doors {
		doors[door.Name] = true
	}
	for _, file := range append([]*source.Script{s.source}, s.required...) {
		for _, site := range file.Allows {
			if doors[site.Door] {
				s.allows = append(s.allows, site)
			}
		}
		for _, site := range file.Closes {
			if doors[site.Door] {
				s.closes = append(s.closes, site)
			}
		}
	}
}

// ready makes the Lua state anew when it is broken, since what one packet did
// to it must not affect the next. Loading is deterministic, so the functions
// have the same numbers as before. When that fails, the script stays failed,
// and all its doors refuse.
func (s *script) ready() error {
	if s.failed != nil || !s.state.Broken() {
		return s.failed
	}
	before := len(s.functions)
	s.state.Close()
	s.again = true
	registered, err := s.start()
	if err == nil && (len(registered.problems) > 0 || len(s.functions) != before) {
		err = errors.New("it registers something else than before")
	}
	if err != nil {
		s.failed = &engine.Fault{Script: s.source.Path, Detail: fmt.Sprintf("starting the script again: %v", err)}
	}
	return s.failed
}

// addFunction stores a function that the engine can call, and returns its number, from
// 1. The number outlives the Lua state.
func (s *script) addFunction(fn *lua.LFunction) int {
	s.functions = append(s.functions, fn)
	return len(s.functions)
}

// fault returns an error with the place of a function.
func (s *script) fault(function int, format string, args ...any) error {
	proto := s.functions[function-1].Proto
	return &engine.Fault{Script: proto.SourceName, Line: proto.LineDefined, Detail: fmt.Sprintf(format, args...)}
}

// faultOf turns an error of the sandbox into one for the engine, with the place
// where it occurred.
func (s *script) faultOf(err error) error {
	if fault, ok := errors.AsType[*engine.Fault](err); ok { // of a condition that a function asked for
		return fault
	}
	fault := &engine.Fault{Script: s.source.Path, Detail: err.Error()}
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		fault.Line, fault.Detail = e.Line, e.Message
		if e.File != "" {
			fault.Script = e.File
		}
		fault.Timeout = errors.Is(e, sandbox.ErrTime)
	}
	return fault
}

// require is the function require of the Lua state.
func (s *script) require(name string) (*sandbox.Program, error) {
	module, err := s.scripts.Require(name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.required, module) {
		s.required = append(s.required, module)
	}
	return module.Program, nil
}

// printed is the function print of the Lua state: a log line while a function
// runs.
func (s *script) printed(line int, text string) {
	switch {
	case s.current != nil:
		s.current.line(s.state.Current(), text)
	case s.options.Print != nil && !s.again:
		s.options.Print(source.Place{File: s.source.Path, Line: line}, text)
	}
}

// random is the function math.random of the Lua state. It is an error while the
// file loads, since a file must register the same each time.
func (s *script) random() float64 {
	if s.current == nil {
		s.state.Current().RaiseError("math.random is for functions such as on_open: what a file registers is the same each time")
	}
	return s.current.float()
}

// report notes a problem at a place, while the file loads.
func (s *script) report(at source.Place, message string) {
	s.loading.problems.Add(s.scripts.Problem(at, message))
}
