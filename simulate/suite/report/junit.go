package report

import (
	"encoding/xml"
	"fmt"
	"strings"

	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// The elements of JUnit's XML, as the schema junit-10.xsd of Jenkins' xunit plugin has them. There
// is no standard; other readers take what that schema takes.
type (
	testSuites struct {
		XMLName  xml.Name    `xml:"testsuites"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Suites   []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		File     string     `xml:"file,attr,omitempty"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Name     string    `xml:"name,attr"`
		Class    string    `xml:"classname,attr"`
		Failures []because `xml:"failure"`
		Errors   []because `xml:"error"`
		Skipped  *because  `xml:"skipped"`
	}
	because struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit returns the results as XML, with a suite for each file of tests and configuration. A test
// that did not run is skipped, and scripts that did not load are an error.
func JUnit(runs []Run) ([]byte, error) {
	all := testSuites{Name: "sesame"}
	for i := range runs {
		suites := suitesOf(&runs[i])
		if runs[i].Report == nil {
			suites = []testSuite{unloadedSuite(&runs[i])}
		}
		for _, s := range suites {
			all.Tests += s.Tests
			all.Failures += s.Failures
			all.Errors += s.Errors
		}
		all.Suites = append(all.Suites, suites...)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the XML: %w", err)
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// suitesOf returns a suite for each file of tests.
func suitesOf(r *Run) []testSuite {
	var suites []testSuite
	file := ""
	for i := range r.results() {
		result := &r.Report.Results[i]
		if i == 0 || result.Test.File != file {
			file = result.Test.File
			path := r.place(source.Place{File: file}).File
			suites = append(suites, testSuite{Name: suiteName(r, path), File: path})
		}
		s := &suites[len(suites)-1]
		s.Tests++
		c := caseOf(r, result)
		if len(c.Failures) > 0 {
			s.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	return suites
}

func suiteName(r *Run, path string) string {
	if r.Config == "" {
		return path
	}
	return path + " with " + r.Config
}

// className names the test file as a dotted name, since readers cut it at the last dot.
func className(file string) string { return strings.TrimSuffix(file, ".lua") }

func caseOf(r *Run, result *suite.Result) testCase {
	c := testCase{Name: result.Test.Name, Class: className(result.Test.File)}
	switch result.Outcome {
	case suite.Failed:
		for i := range result.Failures {
			f := &result.Failures[i]
			lines := append([]string{r.place(f.Place).String()}, details(f)...)
			c.Failures = append(c.Failures, because{f.Message, "expectation", strings.Join(lines, "\n")})
		}
	case suite.Skipped, suite.NotRun:
		c.Skipped = &because{Message: fmt.Sprintf("%s: %s", words(result.Outcome), result.Why)}
	case suite.Passed:
	}
	return c
}

// unloadedSuite has one test case, which has an error for each problem.
func unloadedSuite(r *Run) testSuite {
	c := testCase{Name: "the scripts and tests load", Class: "sesame"}
	for _, p := range r.Problems {
		at := source.Place{File: p.File, Line: p.Line, Column: p.Column}
		c.Errors = append(c.Errors, because{p.Message, "problem", r.place(at).String()})
	}
	return testSuite{Name: suiteName(r, r.Dir), Tests: 1, Errors: 1, Cases: []testCase{c}}
}
