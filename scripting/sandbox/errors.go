package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// maxMessage is the length of the longest message that a script catches, or that an Error of a
// running script has, in bytes.
const maxMessage = 2048

// The causes that an [Error] may wrap.
var (
	ErrSteps  = errors.New("the steps are used up")
	ErrTime   = errors.New("time limit reached") // see [Config.Backstop]
	ErrBroken = errors.New("the Lua machine failed")
)

// An Error is a message with its place in a script. It does not change after it was made.
type Error struct {
	File         string
	Line, Column int // from 1; 0 when unknown
	Message      string
	SourceLine   string // what Detail shows of the line, see [Error.Quote]; empty when unknown
	Cause        error  // ErrSteps, ErrTime, ErrBroken or nil

	caret  int  // the length of what stands in SourceLine before the column
	placed bool // the column is in the line, so there is a caret
}

// Error returns the place and the message on one line: "ssh.lua:3:10: message".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Quote sets the line of the source that Detail shows, without its end. Of a long line the Error
// keeps a copy of what is around the column: so it never holds the text of a file in memory. The
// column must be set before.
func (e *Error) Quote(line string) {
	if e.placed = e.Column > 0 && e.Column <= len(line)+1; e.placed {
		e.caret = e.Column - 1
	}
	before, after := excerpt(line, e.caret)
	e.SourceLine, e.caret = strings.Clone(before+after), len(before)
}

// Detail returns Error, followed by the line of the source when that is known, and by a caret under
// the column when that is known. Of a long line it shows what is around the column. It has no
// newline at its end.
func (e *Error) Detail() string {
	if e.SourceLine == "" || e.Line == 0 {
		return e.Error()
	}
	number := fmt.Sprintf("%5d", e.Line)
	detail := fmt.Sprintf("%s\n%s | %s", e.Error(), number, e.SourceLine)
	if e.placed {
		detail += fmt.Sprintf("\n%s | %s^", strings.Repeat(" ", len(number)), blank(e.SourceLine[:e.caret]))
	}
	return detail
}

// maxExcerpt bounds what an Error keeps of a line of the source, in bytes.
const maxExcerpt = 200

// excerpt returns what is shown of a line before and behind an offset.
func excerpt(line string, at int) (before, after string) {
	before, after = line[:at], line[at:]
	if len(line) <= maxExcerpt {
		return before, after
	}
	if from := at - maxExcerpt/2; from > 0 {
		before = "..." + strings.ToValidUTF8(before[from:], "")
	}
	if room := maxExcerpt - min(at, maxExcerpt/2); len(after) > room {
		after = strings.ToValidUTF8(after[:room], "") + "..."
	}
	return before, after
}

// blank returns spaces as wide as text. Tabs stay, so that a caret is under its character.
func blank(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, text)
}

// sourceLine returns line n of source, from 1, without its end; "" when there is none. It makes no
// copy of the other lines.
func sourceLine(source []byte, n int) string {
	for line := range bytes.Lines(source) {
		if n--; n == 0 {
			return string(bytes.TrimRight(line, "\r\n"))
		}
	}
	return ""
}

var address = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(table|function|userdata|thread|channel): 0x[0-9a-f]+`)
})

// withoutAddress removes addresses from a message of the machine. They differ from run to run,
// which would make a replay differ, and they would help an attacker of the process.
func withoutAddress(message string) string { return address().ReplaceAllString(message, "$1") }

// raise raises a Go error as a value of the machine. The caller of Run or Call gets this very error
// back, with its type. The metatable is nil, so a script cannot do anything with the value.
func raise(l *lua.LState, err error) {
	l.Error(&lua.LUserData{Value: err, Metatable: lua.LNil}, 0)
}

func brokenError(why any) *Error {
	return &Error{Message: fmt.Sprintf("the Lua machine failed: %v", why), Cause: ErrBroken}
}
