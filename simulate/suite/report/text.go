package report

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/transcript"
	"sesame/simulate/suite"
)

// maxNamed bounds how many configurations one failure names.
const maxNamed = 4

// Text returns the results for people. A line that begins with a place has what happened there,
// and the lines below it, indented, say more. A failure that several configurations have in
// common is there once. With verbose the tests that passed have a line too.
func Text(runs []Run, verbose bool) string {
	var b strings.Builder
	names := gateways(runs)
	for _, e := range entries(runs, verbose) {
		b.WriteString(e.text)
		if len(runs) > 1 {
			fmt.Fprintf(&b, "    %-9s %s\n", "with", among(e.runs, names))
		}
	}
	writeMatrix(&b, runs, names, verbose)
	for i := range runs {
		for _, path := range runs[i].Written {
			fmt.Fprintf(&b, "written: %s\n", path)
		}
	}
	writeCoverage(&b, runs)
	b.WriteString(Summary(runs) + "\n")
	return b.String()
}

// An entry is a text about a test, and the runs that have it.
type entry struct {
	text string
	runs []int
}

// entries returns the texts about tests in the order of the tests, each once.
func entries(runs []Run, verbose bool) []*entry {
	var all []*entry
	known := map[string]*entry{}
	for i := range runs {
		for _, text := range texts(&runs[i], verbose) {
			e := known[text]
			if e == nil {
				e = &entry{text: text}
				known[text] = e
				all = append(all, e)
			}
			// A test can have the same failure twice.
			if !slices.Contains(e.runs, i) {
				e.runs = append(e.runs, i)
			}
		}
	}
	return all
}

// texts returns what there is to say about each test of a run.
func texts(r *Run, verbose bool) []string {
	var all []string
	for _, result := range r.results() {
		at := r.place(result.Test.Place)
		switch result.Outcome {
		case suite.Failed:
			for i := range result.Failures {
				all = append(all, failureText(r, result.Test.Name, &result.Failures[i]))
			}
		case suite.Passed:
			if verbose {
				all = append(all, fmt.Sprintf("%s: passed: %s\n", at, result.Test.Name))
			}
		case suite.Skipped, suite.NotRun:
			all = append(all, fmt.Sprintf("%s: %s: %s: %s\n", at, words(result.Outcome), result.Test.Name, result.Why))
		}
	}
	return all
}

// Failures returns what [Text] says about each test, without the totals.
func Failures(r *Run) string { return strings.Join(texts(r, false), "") }

func failureText(r *Run, test string, f *suite.Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: failed: %s: %s\n", r.place(f.Place), test, f.Message)
	for _, line := range details(f) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

// words returns an outcome for people.
func words(o suite.Outcome) string { return strings.ReplaceAll(o.String(), "_", " ") }

// among names some of the configurations.
func among(which []int, names []string) string {
	if len(which) == len(names) && len(names) > maxNamed {
		return fmt.Sprintf("all %d configurations", len(names))
	}
	var some []string
	for _, i := range which[:min(len(which), maxNamed)] {
		some = append(some, names[i])
	}
	text := strings.Join(some, ", ")
	if more := len(which) - len(some); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Summary returns one line of totals.
func Summary(runs []Run) string {
	if len(runs) == 1 && runs[0].Report == nil {
		return "nothing was loaded, and nothing was run"
	}
	total, files := 0, map[string]struct{}{}
	for i := range runs {
		for _, result := range runs[i].results() {
			files[result.Test.File] = struct{}{}
			total++
		}
	}
	text := fmt.Sprintf("%s, %s", transcript.Count(len(files), "file"), transcript.Count(total, "test"))
	if len(runs) > 1 {
		text = fmt.Sprintf("%s, %s", transcript.Count(len(runs), "configuration"), text)
	}
	separator := ": "
	for _, o := range []suite.Outcome{suite.Passed, suite.Failed, suite.Skipped, suite.NotRun} {
		if n := Count(runs, o); n > 0 {
			text += fmt.Sprintf("%s%d %s", separator, n, words(o))
			separator = ", "
		}
	}
	if n := Unloaded(runs); n > 0 {
		text += fmt.Sprintf("; %s did not load", transcript.Count(n, "configuration"))
	}
	return text
}
