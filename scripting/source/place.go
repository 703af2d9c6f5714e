package source

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"sesame/scripting/sandbox"
)

// A Place is a position in a file. Lines and columns count from 1; a column
// counts bytes, and 0 means that it is not known.
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

// A Problem is one error of a script, for the person who wrote it: Error gives
// a line, Detail adds the line of the script and a caret.
type Problem = sandbox.Error

// Problems are all errors of a script set, in the order of files and lines.
// There is at least one.
type Problems []*Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	return errors.Join(p.Unwrap()...).Error()
}

// Unwrap gives the problems to [errors.As].
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// ProblemsOf takes an error of a file apart: what the sandbox returns may hold
// several problems.
func ProblemsOf(file string, err error) Problems {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems Problems
		for _, one := range joined.Unwrap() {
			problems = append(problems, ProblemsOf(file, one)...)
		}
		return problems
	}
	if problem, ok := errors.AsType[*Problem](err); ok && problem.File != "" {
		return Problems{problem}
	}
	return Problems{{File: file, Message: err.Error()}}
}

// MaxProblems is how many problems of a set are reported. There may be more in a text that a
// program made, and nobody reads them.
const MaxProblems = 100

// Add appends the problems that are not among them yet, up to [MaxProblems], and in place of the
// others one that says that there are more.
func (p *Problems) Add(more ...*Problem) {
	for _, problem := range more {
		switch known := p.has(problem); {
		case known || len(*p) > MaxProblems:
		case len(*p) == MaxProblems:
			*p = append(*p, &Problem{Message: fmt.Sprintf("there are more problems than these %d: repair these first", MaxProblems)})
		default:
			*p = append(*p, problem)
		}
	}
}

// has reports whether a problem with the same line and message is among them.
func (p *Problems) has(problem *Problem) bool {
	return slices.ContainsFunc(*p, func(other *Problem) bool { return same(problem, other) })
}

// Sorted orders the problems in place.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// same ignores columns: one mistake may be found on two ways, of which one
// knows the line alone.
func same(a, b *Problem) bool {
	return a.File == b.File && a.Line == b.Line && a.Message == b.Message
}
