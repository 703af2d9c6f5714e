package sandbox

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// This file replaces gopher-lua's pcall and xpcall, for two faults of gopher-lua:
//
//   - LState.raiseError and LState.Error call closeAllUpvalues, which closes the captured variables
//     of every call on the stack, also of the calls outside of the pcall. Afterwards the caller and
//     its inner functions would each see a copy of a variable that they share.
//   - LState.PCall catches everything, so `while true do pcall(f) end` would run for ever if the
//     budget failed only once.
//
// So each level of pcall has a stack of its own, and failures of the budget and of the machine are
// raised again.

const (
	maxProtected = 20   // levels of pcall; each holds a stack of 120 calls
	failureCost  = 250  // instructions for catching an error: LState.PCall formats a trace of the stack
	failureBytes = 2048 // bytes of that trace
)

// pcall calls a function and returns true and its results, or false and the error.
func (s *State) pcall(l *lua.LState) int {
	l.CheckAny(1)
	fn, args := l.Get(1), values(l, 2)
	results, failed := s.attempt(l, fn, args)
	return push(l, results, failed)
}

// xpcall is pcall with a function that turns the error into another value. Unlike in Lua 5.1 the
// function runs after the stack was unwound. No script can see the difference, since there is no
// debug.traceback. The error handler of LState.PCall is not used: a failure inside it would escape.
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

// push returns from pcall or xpcall: true and the results, or false and the error.
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

// attempt runs a function on the stack of the next level, and returns its results or the value that
// it raised. A failure of the budget, and a panic of the machine or of a host function, continue to
// the caller of Run or Call as a panic with the ApiError: no script can catch them.
//
// Copying the arguments is charged before, and the trace of a failure after it was made: it is
// bounded by the 120 calls of a stack and by the length of names (maxName).
func (s *State) attempt(l *lua.LState, fn lua.LValue, args []lua.LValue) ([]lua.LValue, lua.LValue) {
	if fn.Type() != lua.LTFunction && l.GetMetaField(fn, "__call").Type() != lua.LTFunction {
		return nil, lua.LString(fmt.Sprintf("attempt to call a %s value", fn.Type()))
	}
	if s.depth == maxProtected {
		l.RaiseError("more than %d pcalls within each other", maxProtected)
	}
	s.charge(l, int64(len(args))/4, int64(len(args))*16)
	stack := s.pushStack()
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

// pushStack makes the stack for the next level of pcall the current one. Stacks are kept for later
// calls.
func (s *State) pushStack() *lua.LState {
	if s.depth == len(s.stacks) {
		// LState.NewThread derives a context from that of its parent. That would call Done, which
		// counts an instruction that depends on whether the stack existed already.
		s.l.RemoveContext()
		stack, _ := s.l.NewThread()
		s.l.SetContext(s.counter())
		stack.SetContext(s.counter())
		s.stacks = append(s.stacks, stack)
	}
	s.depth++
	stack := s.current()
	stack.SetTop(0)
	return stack
}

// caught returns what a script sees of an error. An error of the host passes through the machine as
// userdata (see raise) and becomes its text. In a message of the machine the addresses are removed,
// since they differ from run to run. Where pcall calls a Go function directly, LState.where finds
// no line and the message begins with a space.
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
		return lua.LString(strings.Clone(text)) // a short text must not hold a long one in memory
	}
	return object
}
