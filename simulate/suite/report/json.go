package report

import (
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// A Document is the JSON of results. docs/transcript.md documents its keys.
type Document struct {
	Tests    []test        `json:"tests"`
	Problems []problem     `json:"problems,omitempty"`
	Written  []string      `json:"written,omitempty"`
	Coverage *coverageJSON `json:"coverage,omitempty"`
}

type test struct {
	Config string `json:"config,omitempty"`
	place
	Name     string    `json:"name"`
	Outcome  string    `json:"outcome"`
	Why      string    `json:"why,omitempty"`
	Failures []failure `json:"failures,omitempty"`
}

type place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func placeOf(at source.Place) place { return place{at.File, at.Line, at.Column} }

type failure struct {
	place
	Message     string   `json:"message"`
	Expected    string   `json:"expected,omitempty"`
	Came        string   `json:"came,omitempty"`
	Explanation []string `json:"explanation,omitempty"`
}

type problem struct {
	Config string `json:"config,omitempty"`
	Problem
}

// JSON returns the results as a value to encode.
func JSON(runs []Run) Document {
	d := Document{Tests: []test{}}
	for i := range runs {
		r := &runs[i]
		for k := range r.results() {
			d.Tests = append(d.Tests, testOf(r, &r.Report.Results[k]))
		}
		for _, one := range r.Problems {
			d.Problems = append(d.Problems, problem{r.Config, one})
		}
		d.Written = append(d.Written, r.Written...)
	}
	if c := coverage(runs); c != nil {
		d.Coverage = coverageOf(c)
	}
	return d
}

func testOf(r *Run, result *suite.Result) test {
	t := test{
		Config: r.Config, place: placeOf(r.place(result.Test.Place)), Name: result.Test.Name,
		Outcome: result.Outcome.String(), Why: result.Why,
	}
	for i := range result.Failures {
		f := &result.Failures[i]
		t.Failures = append(t.Failures, failure{placeOf(r.place(f.Place)), f.Message, f.Expected, f.Came, f.Explanation})
	}
	return t
}

type coverageJSON struct {
	Doors      []doorJSON      `json:"doors"`
	Conditions []conditionJSON `json:"conditions"`
	Files      []fileJSON      `json:"files"`
}

type doorJSON struct {
	Door string `json:"door"`
	place
	Stages   []int `json:"stages"` // how often each was reached
	Opens    int   `json:"opens"`
	Refusals int   `json:"refusals"`
	Misses   int   `json:"misses"`
}

type conditionJSON struct {
	Condition string `json:"condition"`
	place
	Yes     int `json:"yes"`
	No      int `json:"no"`
	Unknown int `json:"unknown"`
}

type fileJSON struct {
	File  string     `json:"file"`
	Lines []lineJSON `json:"lines"`
}

type lineJSON struct {
	Line int `json:"line"`
	Hits int `json:"hits"`
}

func coverageOf(c *suite.Coverage) *coverageJSON {
	j := &coverageJSON{[]doorJSON{}, []conditionJSON{}, []fileJSON{}}
	for _, d := range c.Doors {
		j.Doors = append(j.Doors, doorJSON{d.Door, placeOf(d.Place), append([]int{}, d.Stages...), d.Opens, d.Refusals, d.Misses})
	}
	for _, one := range c.Conditions {
		j.Conditions = append(j.Conditions, conditionJSON{one.Name, placeOf(one.Place), one.Yes, one.No, one.Unknown})
	}
	for _, f := range c.Files {
		file := fileJSON{f.File, []lineJSON{}}
		for _, line := range f.Lines {
			file.Lines = append(file.Lines, lineJSON(line))
		}
		j.Files = append(j.Files, file)
	}
	return j
}
