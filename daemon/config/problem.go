package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one error or warning about a file.
type Problem struct {
	File    string
	Line    int // from 1
	Message string
}

// Error returns "sesame.toml:3: " and the message.
func (p Problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message) }

// Problems are all errors, or all warnings, about a file, sorted by line.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return p
}
