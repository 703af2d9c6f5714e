package engine

import (
	"fmt"
)

// A Fault is a handler's error with its place.
type Fault struct {
	Script string
	Line   int // 0: not known
	Detail string
	// Timeout means that the host ended the function by its clock. See [Timeout].
	Timeout bool
}

// Error returns "script:line: detail".
func (f *Fault) Error() string {
	if f.Line == 0 {
		return f.Script + ": " + f.Detail
	}
	return fmt.Sprintf("%s:%d: %s", f.Script, f.Line, f.Detail)
}

// A CommandError means that a command ran and failed. Any other error of an effect means that it
// was not done.
type CommandError struct {
	Status int    // with which it exited; below zero when it did not exit by itself
	Text   string // for people
}

// Error returns the text.
func (e *CommandError) Error() string { return e.Text }
