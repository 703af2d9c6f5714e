// Package report turns the results of tests into text for people, JSON, XML of JUnit and
// annotations of GitHub.
//
// Nothing here depends on the time or on the machine: the same results give the same bytes.
package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// A Run is what came of the tests with one configuration.
type Run struct {
	Config string // the path of a configuration file; "": none was named
	// Dir is the directory of the scripts. The files of places are below it.
	Dir    string
	Report *suite.Report // nil: the scripts or the tests did not load
	// Problems are why they did not load.
	Problems []Problem
	Written  []string // golden transcripts that were written anew
}

// A Problem is one reason why scripts or tests did not load. It has no place when it is about no
// file.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// place returns a place as an editor opens it from the working directory.
func (r *Run) place(at source.Place) source.Place {
	if at.File != "" && !filepath.IsAbs(at.File) {
		at.File = filepath.ToSlash(filepath.Join(r.Dir, at.File))
	}
	return at
}

// results returns the results; none when nothing was loaded.
func (r *Run) results() []suite.Result {
	if r.Report == nil {
		return nil
	}
	return r.Report.Results
}

// Count returns how many tests ended in one way, with all configurations.
func Count(runs []Run, o suite.Outcome) int {
	n := 0
	for i := range runs {
		if runs[i].Report != nil {
			n += runs[i].Report.Count(o)
		}
	}
	return n
}

// Unloaded counts the configurations with which scripts or tests did not load.
func Unloaded(runs []Run) int {
	n := 0
	for i := range runs {
		if runs[i].Report == nil {
			n++
		}
	}
	return n
}

// gateways returns a short name for each configuration: that of its file without directory and
// extension, or its path when two would be the same.
func gateways(runs []Run) []string {
	names := make([]string, len(runs))
	times := map[string]int{}
	for i := range runs {
		base := filepath.Base(runs[i].Config)
		names[i] = strings.TrimSuffix(base, filepath.Ext(base))
		times[names[i]]++
	}
	for i := range runs {
		if times[names[i]] > 1 {
			names[i] = runs[i].Config
		}
	}
	return names
}

// details returns the lines below the message of a failure: what was expected, what came, and
// why.
func details(f *suite.Failure) []string {
	var lines []string
	for _, part := range []struct{ label, text string }{{"expected", f.Expected}, {"came", f.Came}} {
		label := part.label
		if part.text == "" {
			continue
		}
		for line := range strings.SplitSeq(strings.TrimRight(part.text, "\n"), "\n") {
			lines = append(lines, fmt.Sprintf("%-9s %s", label, line))
			label = ""
		}
	}
	return slices.Concat(lines, f.Explanation)
}
