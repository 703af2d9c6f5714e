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
	b.WriteString("\n")
	writeRows(b, runs, names, cells, columns)
	if total > 0 {
		b.WriteString("\n")
	}
	for i, c := range columns {
		fmt.Fprintf(b, "%*d  %s: %s\n", numberWidth(columns), i+1, c.file, c.name)
	}
	if hidden := total - len(columns); hidden > 0 {
		noun := "test"
		if len(columns) > 0 {
			noun = "other test"
		}
		fmt.Fprintf(b, "passed with %s: %s\n", everyone(runs), transcript.Count(hidden, noun))
	}
	if len(columns) > 0 {
		b.WriteString(". passed, F failed, s skipped, - not run, blank: no such test\n")
	}
	b.WriteString("\n")
}

// writeRows writes the numbers of the columns, if there are columns, and a line for each
// configuration.
func writeRows(b *strings.Builder, runs []Run, names []string, cells []map[column]string, columns []column) {
	first, width := 0, numberWidth(columns)
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
	if len(columns) > 0 {
		line("", func(i int) string { return fmt.Sprint(i + 1) })
	}
	for i := range runs {
		switch {
		case runs[i].Report == nil:
			fmt.Fprintf(b, "%-*s  did not load\n", first, names[i])
		case len(cells[i]) == 0:
			fmt.Fprintf(b, "%-*s  no test\n", first, names[i])
		case len(columns) == 0:
			fmt.Fprintf(b, "%-*s  passed\n", first, names[i])
		default:
			line(names[i], func(k int) string { return cells[i][columns[k]] })
		}
	}
}

func numberWidth(columns []column) int { return len(fmt.Sprint(len(columns))) }

// everyone says with which configurations a test passed that has no column.
func everyone(runs []Run) string {
	if Unloaded(runs) > 0 {
		return "each configuration that loaded"
	}
	return "each configuration"
}

// cellsOf returns the sign of each test for each run, and all tests in the order in which they
// first come.
func cellsOf(runs []Run) (cells []map[column]string, columns []column) {
	known := map[column]bool{}
	for i := range runs {
		signed := map[column]string{}
		for _, result := range runs[i].results() {
			c := column{result.Test.File, result.Test.Name}
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
