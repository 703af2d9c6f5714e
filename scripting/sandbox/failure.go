package sandbox

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// This file turns what gopher-lua raises into an Error with the place in the script, in plain
// words.

// failure turns an error of the machine into an Error with its place. A panic breaks the State. An
// error of the host is returned as it is. The place is the one in the message, or else the
// innermost line of a program in the trace.
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
		file, line = s.traced(api.StackTrace, "")
	}
	message = plain(clip(message, maxMessage)) // 64 KiB would take plain 5 ms
	if outer, at := s.traced(api.StackTrace, file); outer != "" && file != s.main {
		message += fmt.Sprintf(" (called from %s:%d)", outer, at)
	}
	if p, name := s.programs[file], undefinedName(message); s.loading && p != nil && name != "" {
		return p.undefined(line, name)
	}
	e := s.errorIn(file, line, message)
	e.Cause = s.budget.err
	return e
}

// describe returns the text of a value that was raised: a string or number itself, or what a
// table's __tostring or message says.
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

// described returns what the table's own __tostring returns, or false. It is code of the script, so
// it runs with what is left of the budget, and attempt panics when that is used up.
func (s *State) described(table *lua.LTable) (text string, ok bool) {
	fn, ok := s.l.GetMetaField(table, "__tostring").(*lua.LFunction)
	if !ok || s.budget.err != nil {
		return "", false
	}
	defer func() {
		if recover() != nil { // the budget is used up: the original error is reported without a text
			text, ok = "", false
		}
	}()
	results, failed := s.attempt(s.current(), fn, []lua.LValue{table})
	if failed != nil || len(results) == 0 {
		return "", false
	}
	return toText(results[0])
}

// place cuts "file:line:" off the head of a message, when the file is one of this State's programs.
// Otherwise file is empty.
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

// traced returns the innermost place of a stack trace that is in a program, but for one.
func (s *State) traced(trace, but string) (file string, line int) {
	for entry := range strings.Lines(trace) {
		if file, line, _ := s.place(strings.TrimSpace(entry)); file != "" && file != but {
			return file, line
		}
	}
	return "", 0
}

// A plainer is a message of gopher-lua (state.go, vm.go), and what authors of scripts read instead.
type plainer struct {
	pattern *regexp.Regexp
	message string
}

var plainers = sync.OnceValue(func() []plainer {
	return []plainer{
		{regexp.MustCompile(`^attempt to index a non-table object\((.*)\) with key '(.*)'$`), "attempt to read field '$2' of a $1 value"},
		{regexp.MustCompile(`^attempt to call a non-function object$`), "attempt to call a value that is not a function"},
		{regexp.MustCompile(`^cannot perform (.*) operation between (.*) and (.*)$`), "cannot do arithmetic ($1) with $2 and $3"},
		{regexp.MustCompile(`^__unm undefined$`), "cannot negate a value that is not a number"},
		{regexp.MustCompile(`^__len undefined$`), "cannot take the length of a value that is neither string nor table"},
		{regexp.MustCompile(`^stack overflow$`), "the calls are nested too deeply: does a function call itself without end?"},
		{regexp.MustCompile(`^too many recursions in gettable$`), "the metatables of __index form a loop"},
		{regexp.MustCompile(`^registry overflow$`), "too many values at once: calls are nested too deeply, or have too many arguments"},
	}
})

// plain returns a message of the machine in plain words and without addresses.
func plain(message string) string {
	message = withoutAddress(message)
	for _, p := range plainers() {
		if p.pattern.MatchString(message) {
			return p.pattern.ReplaceAllString(message, p.message)
		}
	}
	return message
}
