package scripting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sesame/scripting/sandbox"
)

// A Place is where something stands in a script. Lines and columns count from
// 1; a column counts bytes, and 0 means that it is not known.
type Place struct {
	File         string
	Line, Column int
}

// String returns "ssh.lua:3:10", or less when less is known.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Problem is one thing that is wrong with a script, for the person who wrote
// it: Error gives a line, Detail adds the line of the script and a caret.
type Problem = sandbox.Error

// Problems are all that is wrong with a script set, in the order of files and
// lines. There is at least one.
type Problems []*Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to [errors.As].
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// sorted orders the problems and drops repetitions.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(p, func(a, b *Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Message == b.Message
	})
}
