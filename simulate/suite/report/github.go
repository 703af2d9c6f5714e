package report

import (
	"fmt"
	"strings"

	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// GitHub returns the results as workflow commands of GitHub, which shows them beside the lines of
// a change, and a line of totals. Paths begin at the working directory, which must be that of the
// repository. See "Workflow commands for GitHub Actions" in its documentation.
func GitHub(runs []Run) string {
	var b strings.Builder
	for i := range runs {
		r := &runs[i]
		for _, p := range r.Problems {
			annotate(&b, "error", r.place(source.Place{File: p.File, Line: p.Line, Column: p.Column}), titled(r, "the scripts and tests do not load"), p.Message)
		}
		for k := range r.results() {
			annotateResult(&b, r, &r.Report.Results[k])
		}
	}
	b.WriteString(Summary(runs) + "\n")
	return b.String()
}

func annotateResult(b *strings.Builder, r *Run, result *suite.Result) {
	switch result.Outcome {
	case suite.Failed:
		for i := range result.Failures {
			f := &result.Failures[i]
			text := strings.Join(append([]string{f.Message}, details(f)...), "\n")
			annotate(b, "error", r.place(f.Place), titled(r, result.Test.Name), text)
		}
	case suite.Skipped, suite.NotRun:
		annotate(b, "warning", r.place(result.Test.Place), titled(r, result.Test.Name), fmt.Sprintf("%s: %s", words(result.Outcome), result.Why))
	case suite.Passed:
	}
}

func titled(r *Run, name string) string {
	if r.Config == "" {
		return name
	}
	return name + " with " + r.Config
}

// In a workflow command these bytes would end a property, the message or the line.
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func annotate(b *strings.Builder, level string, at source.Place, title, text string) {
	fmt.Fprintf(b, "::%s ", level)
	if at.File != "" {
		fmt.Fprintf(b, "file=%s,", property.Replace(at.File))
	}
	if at.Line > 0 {
		fmt.Fprintf(b, "line=%d,", at.Line)
	}
	if at.Column > 0 {
		fmt.Fprintf(b, "col=%d,", at.Column)
	}
	fmt.Fprintf(b, "title=%s::%s\n", property.Replace(title), message.Replace(text))
}
