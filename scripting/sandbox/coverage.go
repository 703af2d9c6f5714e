package sandbox

import (
	"context"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A follower is a counter that also tells which line runs. It is the context of the stacks of a
// State whose host asked for that; the others have a counter alone, so following costs nothing
// where nobody asked.
type follower struct {
	counter
	file string // of the instruction before
	line int
}

// counter returns what the stacks count instructions with.
func (s *State) counter() context.Context {
	if s.follows != nil {
		return s.follows
	}
	return counter{s}
}

// Done counts an instruction as [counter.Done] does. mainLoopWithContext (vm.go) has advanced the
// program counter by then, so the current line of the frame is that of the instruction.
func (f *follower) Done() <-chan struct{} {
	l := f.state.current()
	if frame, ok := l.GetStack(0); ok {
		_, err := l.GetInfo("Sl", frame, lua.LNil)
		if err == nil && frame.CurrentLine > 0 && (frame.CurrentLine != f.line || frame.Source != f.file) {
			f.file, f.line = frame.Source, frame.CurrentLine
			f.state.cfg.Ran(f.file, f.line)
		}
	}
	return f.counter.Done()
}

// Lines returns the lines that have code, in order. A line with nothing but the end of a function
// has none: a function that returns before never gets there.
func (p *Program) Lines() []int {
	lines := map[int]bool{}
	var visit func(proto *lua.FunctionProto)
	visit = func(proto *lua.FunctionProto) {
		if n := len(proto.DbgSourcePositions); n > 0 {
			for _, line := range proto.DbgSourcePositions[:n-1] { // the last is the return of all functions
				lines[line] = true
			}
		}
		for _, inner := range proto.FunctionPrototypes {
			visit(inner)
		}
	}
	visit(p.proto)
	delete(lines, 0)
	return slices.Sorted(maps.Keys(lines))
}
