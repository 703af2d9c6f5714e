package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting/source"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// named returns a test that is written at a line of a file.
func named(file string, line int, name string) *spec.Test {
	return &spec.Test{Name: name, File: file, Place: source.Place{File: file, Line: line, Column: 1}}
}

func passed(t *spec.Test) suite.Result { return suite.Result{Test: t, Outcome: suite.Passed} }

var (
	opens   = named("ssh_test.lua", 1, "opens")
	closes  = named("ssh_test.lua", 9, "closes")
	field   = named("web_test.lua", 1, "from the field")
	late    = named("web_test.lua", 5, "late")
	country = suite.Failure{
		Place: source.Place{File: "ssh_test.lua", Line: 11, Column: 3}, Message: "came once, expected never",
		Expected: "opens ssh, source 203.0.113.9\ncloses ssh", Came: "refuses ssh",
		Explanation: []string{"203.0.113.9  ssh  refused: iberia", "203.0.113.9  ssh  within >= 9.1s: opens"},
	}
)

// four are results of each kind.
func four() report.Run {
	return report.Run{Dir: "./scripts", Report: &suite.Report{Results: []suite.Result{
		passed(opens),
		{Test: closes, Outcome: suite.Failed, Failures: []suite.Failure{country, {Place: closes.Place, Message: "no door \"ssh\""}}},
		{Test: field, Outcome: suite.Skipped, Why: "captures/x.pcap is missing"},
		{Test: late, Outcome: suite.NotRun, Why: "the time was over"},
	}}, Written: []string{"scripts/captures/x.jsonl"}}
}

// unloadable is a run whose scripts have a mistake.
func unloadable(config string) report.Run {
	return report.Run{Config: config, Dir: "scripts", Problems: []report.Problem{
		{File: "ssh.lua", Line: 3, Column: 2, Message: "expected a port"}, {Message: "no space"},
	}}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		name    string
		verbose bool
		runs    []report.Run
		want    string
	}{
		{"each outcome", false, []report.Run{four()}, `
scripts/ssh_test.lua:11:3: failed: closes: came once, expected never
    expected  opens ssh, source 203.0.113.9
              closes ssh
    came      refuses ssh
    203.0.113.9  ssh  refused: iberia
    203.0.113.9  ssh  within >= 9.1s: opens
scripts/ssh_test.lua:9:1: failed: closes: no door "ssh"
scripts/web_test.lua:1:1: skipped: from the field: captures/x.pcap is missing
scripts/web_test.lua:5:1: not run: late: the time was over
written: scripts/captures/x.jsonl
2 files, 4 tests: 1 passed, 1 failed, 1 skipped, 1 not run
`},
		{"one that passed", false, []report.Run{{Dir: "s", Report: &suite.Report{Results: []suite.Result{passed(opens)}}}}, `
1 file, 1 test: 1 passed
`},
		{"the same, verbose", true, []report.Run{{Dir: "/abs", Report: &suite.Report{Results: []suite.Result{passed(opens)}}}}, `
/abs/ssh_test.lua:1:1: passed: opens
1 file, 1 test: 1 passed
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, "\n"+report.Text(tt.runs, tt.verbose)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// gateway is a run with one configuration in which some tests failed.
func gateway(config string, failed ...*spec.Test) report.Run {
	r := report.Run{Config: config, Dir: "scripts", Report: &suite.Report{}}
	for _, test := range []*spec.Test{opens, closes, field} {
		result := passed(test)
		for _, one := range failed {
			if one == test {
				result = suite.Result{Test: test, Outcome: suite.Failed, Failures: []suite.Failure{{Place: test.Place, Message: "wrong"}}}
			}
		}
		r.Report.Results = append(r.Report.Results, result)
	}
	return r
}

// A matrix is the text of several runs.
type matrix struct {
	name    string
	verbose bool
	runs    []report.Run
	want    string
}

func (m matrix) test(t *testing.T) {
	t.Run(m.name, func(t *testing.T) {
		if diff := cmp.Diff(m.want, "\n"+report.Text(m.runs, m.verbose)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTextOfGateways(t *testing.T) {
	for _, tt := range []matrix{
		{"a failure of two is there once", false, []report.Run{
			gateway("a/lisbon.toml"), gateway("a/madrid.toml", closes), gateway("a/porto.toml", closes), unloadable("a/x.toml"),
		}, `
scripts/ssh_test.lua:9:1: failed: closes: wrong
    with      madrid, porto

        1
lisbon  .
madrid  F
porto   F
x       did not load

1  ssh_test.lua: closes
passed with each configuration that loaded: 2 other tests
. passed, F failed, s skipped, - not run, blank: no such test

4 configurations, 2 files, 9 tests: 7 passed, 2 failed; 1 configuration did not load
`},
		{"many are not all named", false, []report.Run{
			gateway("a.toml", closes), gateway("b.toml", closes), gateway("c.toml", closes), gateway("d.toml", closes),
			gateway("e.toml", closes), gateway("f.toml", closes), gateway("g.toml"),
		}, `
scripts/ssh_test.lua:9:1: failed: closes: wrong
    with      a, b, c, d and 2 more

   1
a  F
b  F
c  F
d  F
e  F
f  F
g  .

1  ssh_test.lua: closes
passed with each configuration: 2 other tests
. passed, F failed, s skipped, - not run, blank: no such test

7 configurations, 2 files, 21 tests: 15 passed, 6 failed
`},
	} {
		tt.test(t)
	}
}

func TestTextOfGatewaysThatPassed(t *testing.T) {
	for _, tt := range []matrix{
		{"all passed, quiet", false, []report.Run{gateway("a.toml"), gateway("b.toml")}, `
2 configurations, 2 files, 6 tests: 6 passed
`},
		{"all passed with the one that loads", false, []report.Run{gateway("a.toml"), unloadable("other.toml")}, `

a      passed
other  did not load

passed with each configuration that loaded: 3 tests

2 configurations, 2 files, 3 tests: 3 passed; 1 configuration did not load
`},
		{"nothing loads", false, []report.Run{unloadable("a.toml"), unloadable("b.toml")}, `

a  did not load
b  did not load

2 configurations, 0 files, 0 tests; 2 configurations did not load
`},
		{"all passed, verbose; two files of one name", true, []report.Run{gateway("a/x.toml"), gateway("b/x.toml")}, `
scripts/ssh_test.lua:1:1: passed: opens
    with      a/x.toml, b/x.toml
scripts/ssh_test.lua:9:1: passed: closes
    with      a/x.toml, b/x.toml
scripts/web_test.lua:1:1: passed: from the field
    with      a/x.toml, b/x.toml

          1 2 3
a/x.toml  . . .
b/x.toml  . . .

1  ssh_test.lua: opens
2  ssh_test.lua: closes
3  web_test.lua: from the field
. passed, F failed, s skipped, - not run, blank: no such test

2 configurations, 2 files, 6 tests: 6 passed
`},
		{"a test that one does not have", false, []report.Run{
			gateway("a.toml"), {Config: "b.toml", Dir: "scripts", Report: &suite.Report{Results: []suite.Result{passed(opens), passed(closes)}}},
		}, `

   1
a  .
b

1  web_test.lua: from the field
passed with each configuration: 2 other tests
. passed, F failed, s skipped, - not run, blank: no such test

2 configurations, 2 files, 5 tests: 5 passed
`},
	} {
		tt.test(t)
	}
}

// A failure that all of many configurations have does not name them.
func TestAFailureEverywhere(t *testing.T) {
	var runs []report.Run
	for _, name := range strings.Split("abcde", "") {
		runs = append(runs, gateway(name+".toml", opens))
	}
	if text := report.Text(runs, false); !strings.Contains(text, "    with      all 5 configurations\n") || strings.Count(text, "wrong") != 1 {
		t.Errorf("got\n%s", text)
	}
	if text := report.Text(runs[:4], false); !strings.Contains(text, "    with      a, b, c, d\n") {
		t.Errorf("got\n%s", text)
	}
}

func TestCount(t *testing.T) {
	runs := []report.Run{four(), unloadable("x.toml"), gateway("a.toml", opens)}
	for outcome, want := range map[suite.Outcome]int{suite.Passed: 3, suite.Failed: 2, suite.Skipped: 1, suite.NotRun: 1} {
		if got := report.Count(runs, outcome); got != want {
			t.Errorf("%s: %d, want %d", outcome, got, want)
		}
	}
}

// Failures has what needs attention, and nothing of tests that passed.
func TestFailures(t *testing.T) {
	run := four()
	text := report.Failures(&run)
	if strings.Contains(text, "passed") || strings.Count(text, ": failed: ") != 2 || strings.Contains(text, "2 files") {
		t.Errorf("got\n%s", text)
	}
}

func TestSummary(t *testing.T) {
	for want, runs := range map[string][]report.Run{
		"nothing was loaded, and nothing was run":                                    {unloadable("x.toml")},
		"2 configurations, 2 files, 3 tests: 3 passed; 1 configuration did not load": {unloadable("x.toml"), gateway("a.toml")},
		"2 configurations, 0 files, 0 tests; 2 configurations did not load":          {unloadable("x.toml"), unloadable("y.toml")},
		"2 files, 4 tests: 1 passed, 1 failed, 1 skipped, 1 not run":                 {four()},
	} {
		if got := report.Summary(runs); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Of two gateways with one door the counts are added; a door of the same name in another file is
// another door.
func TestCountsOfGatewaysAreAdded(t *testing.T) {
	runs := []report.Run{}
	for _, file := range []string{"ssh.lua", "ssh.lua", "other.lua"} {
		c := covered()
		c.Doors[0].Place.File = file
		runs = append(runs, report.Run{Config: "a.toml", Dir: "s", Report: &suite.Report{Coverage: c}})
	}
	var out struct {
		Coverage struct{ Doors []map[string]any }
	}
	data, err := json.Marshal(report.JSON(runs))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range out.Coverage.Doors {
		if d["door"] == "ssh" {
			got = append(got, fmt.Sprint(d["opens"], d["refusals"], d["misses"]))
		}
	}
	if diff := cmp.Diff([]string{"4 8 2", "2 4 1"}, got); diff != "" {
		t.Errorf("opens, refusals and misses (-want +got):\n%s", diff)
	}
}

// covered has a door that never opened, one that did, two conditions and a file.
func covered() *suite.Coverage {
	return &suite.Coverage{
		Doors: []suite.DoorCoverage{
			{Door: "ssh", Place: source.Place{File: "ssh.lua", Line: 4}, Stages: []int{3, 2, 2}, Opens: 2, Misses: 1, Refusals: 4},
			{Door: "web", Place: source.Place{File: "web.lua", Line: 2}, Stages: []int{1, 1, 0, 0}},
			{Door: "ftp", Place: source.Place{File: "web.lua", Line: 8}, Stages: []int{0}},
		},
		Conditions: []suite.ConditionCoverage{
			{Name: "hours", Yes: 2, No: 1, Unknown: 1}, {Name: "lan", Place: source.Place{File: "web.lua", Line: 2}, No: 1},
		},
		Files: []suite.FileCoverage{
			{File: "ssh.lua", Lines: []suite.LineCoverage{{Line: 1, Hits: 1}, {Line: 2, Hits: 1}}},
			{File: "web.lua", Lines: []suite.LineCoverage{{Line: 1}, {Line: 2, Hits: 1}, {Line: 5}, {Line: 6}, {Line: 8}, {Line: 9, Hits: 1}, {Line: 12}}},
		},
	}
}

func TestCoverage(t *testing.T) {
	want := `
coverage: 1 of 3 doors opened, 5 of 8 stages, 4 of 6 outcomes of conditions, 4 of 9 lines
    scripts/web.lua:2: web: never opened; stage 2 of 4 was reached
    scripts/web.lua:8: ftp: never opened; no test knocks there
    scripts/web.lua:2: lan: never true, never unknown
    scripts/web.lua: never ran: line 1, lines 5-8, line 12
0 files, 0 tests
`
	one := report.Run{Dir: "scripts", Report: &suite.Report{Coverage: covered()}}
	if diff := cmp.Diff(want, "\n"+report.Text([]report.Run{one}, false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What one gateway does not use another may. Their counts are added, and the parts stay as they
// were.
func TestCoverageOfGateways(t *testing.T) {
	other := covered()
	other.Doors[1].Opens, other.Doors[1].Stages = 1, []int{1, 1, 1, 1, 1} // its gateway has a longer sequence
	other.Conditions[1].Yes = 1
	other.Conditions = append(other.Conditions, suite.ConditionCoverage{Name: "other", Yes: 1, No: 1, Unknown: 1})
	other.Files[1].Lines = []suite.LineCoverage{{Line: 1, Hits: 1}, {Line: 5, Hits: 1}, {Line: 6}, {Line: 7, Hits: 1}}
	first := covered()
	runs := []report.Run{
		{Config: "a.toml", Dir: "s", Report: &suite.Report{Coverage: first}}, unloadable("b.toml"),
		{Config: "c.toml", Dir: "s", Report: &suite.Report{Coverage: other}},
	}
	want := `coverage: 2 of 3 doors opened, 8 of 9 stages, 8 of 9 outcomes of conditions, 7 of 10 lines
    s/web.lua:8: ftp: never opened; no test knocks there
    s/web.lua:2: lan: never unknown
    s/web.lua: never ran: line 6, line 8, line 12
`
	if text := report.Text(runs, false); !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if diff := cmp.Diff(covered(), first); diff != "" {
		t.Errorf("adding changed a part (-want +got):\n%s", diff)
	}
	if text := report.Text([]report.Run{{Report: &suite.Report{Stopped: errors.New("x")}}}, false); strings.Contains(text, "coverage") {
		t.Errorf("coverage that nobody asked for:\n%s", text)
	}
}
