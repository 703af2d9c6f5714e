package report

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/transcript"
	"sesame/simulate/suite"
)

// A column is one test of the matrix. Tests of different runs are the same when file and name are.
type column struct{ file, name string }

// signs are the outcomes in the matrix.
var signs = map[suite.Outcome]string{suite.Passed: ".", suite.Failed: "F", suite.Skipped: "s", suite.NotRun: "-"}

// writeMatrix writes a line for each configuration with a column for each test. Without verbose,
// tests that passed with all configurations have no column. With one configuration there is no
// matrix.
func writeMatrix(b *strings.Builder, runs []Run, names []string, verbose bool) {
	if len(runs) < 2 {
		return
	}
	cells, columns := cellsOf(runs)
	total := len(columns)
	if !verbose {
		columns = slices.DeleteFunc(columns, func(c column) bool { return passedEverywhere(cells, runs, c) })
	}
	if len(columns) == 0 && Unloaded(runs) == 0 {
		return
	}
	width := len(fmt.Sprint(len(columns)))
	first := 0
	for _, name := range names {
		first = max(first, len(name))
	}
	line := func(name string, cell func(i int) string) {
		text := fmt.Sprintf("%-*s ", first, name)
		for i := range columns {
			text += fmt.Sprintf(" %*s", width, cell(i))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	b.WriteString("\n")
	line("", func(i int) string { return fmt.Sprint(i + 1) })
	for i := range runs {
		if runs[i].Report == nil {
			fmt.Fprintf(b, "%-*s  did not load\n", first, names[i])
			continue
		}
		line(names[i], func(k int) string { return cells[i][columns[k]] })
	}
	b.WriteString("\n")
	for i, c := range columns {
		fmt.Fprintf(b, "%*d  %s: %s\n", width, i+1, c.file, c.name)
	}
	if hidden := total - len(columns); hidden > 0 {
		fmt.Fprintf(b, "passed with each configuration: %s more\n", transcript.Count(hidden, "test"))
	}
	b.WriteString(". passed, F failed, s skipped, - not run, blank: no such test\n\n")
}

// cellsOf returns the sign of each test for each run, and all tests in the order in which they
// first come.
func cellsOf(runs []Run) (cells []map[column]string, columns []column) {
	known := map[column]bool{}
	for i := range runs {
		signed := map[column]string{}
		for _, result := range runs[i].results() {
			c := column{result.Test.Place.File, result.Test.Name}
			signed[c] = signs[result.Outcome]
			if !known[c] {
				known[c] = true
				columns = append(columns, c)
			}
		}
		cells = append(cells, signed)
	}
	return cells, columns
}

func passedEverywhere(cells []map[column]string, runs []Run, c column) bool {
	for i := range runs {
		if runs[i].Report != nil && cells[i][c] != signs[suite.Passed] {
			return false
		}
	}
	return true
}
