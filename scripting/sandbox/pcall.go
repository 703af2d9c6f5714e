package sandbox

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

const (
	maxProtected = 20  // pcalls within each other
	failureCost  = 250 // instructions for catching an error: the machine writes a trace of the stack
	failureBytes = 2048
	maxMessage   = 2048
)

// pcall calls a function and returns true and its results, or false and the error.
func (s *State) pcall(l *lua.LState) int {
	l.CheckAny(1)
	fn, args := l.Get(1), values(l, 2)
	results, failed := s.attempt(l, fn, args)
	return push(l, results, failed)
}

// xpcall is pcall with a function that turns the error into another. It runs after the stack has
// been unwound: there is no traceback that it could read.
func (s *State) xpcall(l *lua.LState) int {
	handler := l.CheckFunction(2)
	results, failed := s.attempt(l, l.Get(1), values(l, 3))
	if failed != nil {
		results, failed = s.attempt(l, handler, []lua.LValue{failed})
		if failed == nil {
			l.SetTop(0)
			l.Push(lua.LFalse)
			return 1 + pushAll(l, results)
		}
	}
	return push(l, results, failed)
}

func push(l *lua.LState, results []lua.LValue, failed lua.LValue) int {
	l.SetTop(0)
	if failed != nil {
		l.Push(lua.LFalse)
		l.Push(failed)
		return 2
	}
	l.Push(lua.LTrue)
	return 1 + pushAll(l, results)
}

// attempt runs a function on a stack of its own, and returns its results or what it raised. On the
// caller's stack an error would cut every variable that a function has captured from that function,
// those of the caller too: a fault of the machine. An error that says that the budget is used up,
// or that the machine has failed, is not caught.
func (s *State) attempt(l *lua.LState, fn lua.LValue, args []lua.LValue) ([]lua.LValue, lua.LValue) {
	if fn.Type() != lua.LTFunction && l.GetMetaField(fn, "__call").Type() != lua.LTFunction {
		return nil, lua.LString(fmt.Sprintf("attempt to call a %s value", fn.Type()))
	}
	if s.depth == maxProtected {
		l.RaiseError("more than %d pcalls within each other", maxProtected)
	}
	s.charge(l, int64(len(args))/4, int64(len(args))*16)
	stack := s.push()
	defer func() { s.depth-- }()
	stack.Push(fn)
	err := stack.PCall(pushAll(stack, args), lua.MultRet, nil)
	if err == nil {
		return values(stack, 1), nil
	}
	api := err.(*lua.ApiError)
	if s.budget.err != nil || api.Type == lua.ApiErrorPanic {
		panic(api)
	}
	s.charge(l, failureCost, failureBytes)
	return nil, caught(fn, api.Object)
}

// push makes the stack for the next level of pcall the current one.
func (s *State) push() *lua.LState {
	if s.depth == len(s.stacks) {
		s.l.RemoveContext() // or the new stack would ask it for an instruction
		stack, _ := s.l.NewThread()
		s.l.SetContext(&s.budget)
		stack.SetContext(&s.budget)
		s.stacks = append(s.stacks, stack)
	}
	s.depth++
	stack := s.current()
	stack.SetTop(0)
	return stack
}

// caught is what a script sees of an error. An error of the host passes through the machine as
// userdata; where no script is running, the machine begins a message with a space in place of a
// line.
func caught(fn, object lua.LValue) lua.LValue {
	switch object := object.(type) {
	case *lua.LUserData:
		if err, ok := object.Value.(error); ok {
			return lua.LString(err.Error())
		}
	case lua.LString:
		text := withoutAddress(clip(string(object), maxMessage))
		if fn, ok := fn.(*lua.LFunction); ok && fn.IsG {
			text = strings.TrimPrefix(text, " ")
		}
		return lua.LString(strings.Clone(text))
	}
	return object
}
