package sandbox

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
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

func values(l *lua.LState, from int) (list []lua.LValue) {
	for i := from; i <= l.GetTop(); i++ {
		list = append(list, l.Get(i))
	}
	return list
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

func pushAll(l *lua.LState, list []lua.LValue) int {
	for _, v := range list {
		l.Push(v)
	}
	return len(list)
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

var address = regexp.MustCompile(`(table|function|userdata|thread|channel): 0x[0-9a-f]+`)

// withoutAddress takes the addresses out of a message of the machine: they differ
// from run to run.
func withoutAddress(message string) string { return address.ReplaceAllString(message, "$1") }

// raise raises a Go error so that the one who called Run or Call gets it back whole.
func raise(l *lua.LState, err error) {
	l.Error(&lua.LUserData{Value: err, Metatable: lua.LNil}, 0)
}

// failure turns what the machine returned into an Error with its place.
func (s *State) failure(err error) error {
	api := new(lua.ApiError)
	if !errors.As(err, &api) {
		return err
	}
	if api.Type == lua.ApiErrorPanic {
		s.broken = true
		return brokenError(api.Object)
	}
	if ud, ok := api.Object.(*lua.LUserData); ok {
		if err, ok := ud.Value.(error); ok {
			return err
		}
	}
	file, line, message := s.place(s.describe(api.Object))
	if file == "" {
		file, line = s.traced(api.StackTrace)
	}
	e := s.errorIn(file, line, clip(plain(message), maxMessage))
	e.Cause = s.budget.err
	return e
}

func (s *State) errorIn(file string, line int, message string) *Error {
	if p := s.programs[file]; p != nil {
		return p.errorAt(line, 0, "%s", message)
	}
	return &Error{File: file, Line: line, Message: message}
}

// describe turns an error object into text.
func (s *State) describe(object lua.LValue) string {
	if text, ok := toText(object); ok {
		return text
	}
	table, ok := object.(*lua.LTable)
	if !ok {
		return fmt.Sprintf("an error was raised with a %s value: expected a text", object.Type())
	}
	if text, ok := s.described(table); ok {
		return text
	}
	if text, ok := toText(table.RawGetString("message")); ok {
		return text
	}
	return "an error was raised with a table: expected a text, or a table with a message"
}

// described asks the table's own __tostring, with what is left of the budget.
func (s *State) described(table *lua.LTable) (text string, ok bool) {
	fn, ok := s.l.GetMetaField(table, "__tostring").(*lua.LFunction)
	if !ok || s.budget.err != nil {
		return "", false
	}
	defer func() {
		if recover() != nil { // it used up the rest
			text, ok = "", false
		}
	}()
	results, failed := s.attempt(s.current(), fn, []lua.LValue{table})
	if failed != nil || len(results) == 0 {
		return "", false
	}
	return toText(results[0])
}

// place takes the place off the head of a message, when it is one of this state's programs.
func (s *State) place(message string) (file string, line int, rest string) {
	for name := range s.programs {
		after, ok := strings.CutPrefix(message, name+":")
		if !ok {
			continue
		}
		number, rest, ok := strings.Cut(after, ":")
		if n, err := strconv.Atoi(number); ok && err == nil {
			return name, n, strings.TrimPrefix(rest, " ")
		}
	}
	return "", 0, message
}

// traced returns the innermost place of a stack trace that is in a program.
func (s *State) traced(trace string) (file string, line int) {
	for entry := range strings.Lines(trace) {
		if file, line, _ := s.place(strings.TrimSpace(entry)); file != "" {
			return file, line
		}
	}
	return "", 0
}

// The machine's messages, in plain words.
var plainer = []struct {
	pattern *regexp.Regexp
	message string
}{
	{regexp.MustCompile(`^attempt to index a non-table object\((.*)\) with key '(.*)'$`), "attempt to read field '$2' of a $1 value"},
	{regexp.MustCompile(`^attempt to call a non-function object$`), "attempt to call a value that is not a function"},
	{regexp.MustCompile(`^cannot perform (.*) operation between (.*) and (.*)$`), "cannot do arithmetic ($1) with $2 and $3"},
	{regexp.MustCompile(`^__unm undefined$`), "cannot negate a value that is not a number"},
	{regexp.MustCompile(`^__len undefined$`), "cannot take the length of a value that is neither string nor table"},
	{regexp.MustCompile(`^stack overflow$`), "the calls are nested too deeply: does a function call itself without end?"},
	{regexp.MustCompile(`^too many recursions in gettable$`), "the metatables of __index form a loop"},
	{regexp.MustCompile(`^registry overflow$`), "too many values at once: calls are nested too deeply, or have too many arguments"},
}

func plain(message string) string {
	message = withoutAddress(message)
	for _, p := range plainer {
		if p.pattern.MatchString(message) {
			return p.pattern.ReplaceAllString(message, p.message)
		}
	}
	return message
}
