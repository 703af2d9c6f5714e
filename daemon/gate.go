package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/control"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// Bounds of what is told of tests.
const (
	maxFailedTests   = 10 // with their failures
	maxUntestedNames = 20
)

// offOnRequest says why no test ran at a reload with --skip-tests.
const offOnRequest = "they were skipped, as was requested"

// A gate runs the tests of scripts before a reload applies them. It does not run at a start: a
// machine that boots must be guarded, whatever a test says.
type gate struct {
	budget  time.Duration // for the tests of one reload; 0: none run
	options func(values map[string]string) scripting.Options
	run     func(context.Context, suite.Config) *suite.Report
	open    func(ctx context.Context, path string) (*os.File, error) // what this process may not open
	log     hclog.Logger
}

// test runs the tests of files. An error means that one fails, or that the tests do not load. What
// did not run within the budget has not failed. With skip none runs, which is logged.
func (g *gate) test(ctx context.Context, files *source.Files, values map[string]string, skip bool) (*control.Tests, error) {
	names := files.TestNames()
	switch {
	case len(names) == 0:
		return nil, nil
	case skip:
		g.log.Warn("the tests were skipped, as was requested", "files", strings.Join(names, ", "))
		return &control.Tests{Off: offOnRequest}, nil
	case g.budget == 0:
		return &control.Tests{Off: "budget below [tests] is 0"}, nil
	}
	limited, cancel := context.WithTimeout(ctx, g.budget)
	defer cancel()
	options := g.options(values)
	options.Print = nil // each test loads the scripts
	tests, err := scripting.LoadTests(limited, files.Clone(), options)
	unread, late := errors.AsType[*scripting.Unread](err)
	if err != nil && !late {
		return nil, err
	}
	ran := g.run(limited, suite.Config{
		Files: files.Clone(), Tests: tests, Options: options, Dir: files.Dir, Workers: testWorkers(), CheapestFirst: true,
		OpenClosed: func(path string) (*os.File, error) { return g.open(limited, path) },
	})
	if ctx.Err() != nil {
		return nil, errStopping
	}
	told := counted(ran)
	if late {
		notRead(told, unread.Files)
	}
	return told, g.judge(ran, told)
}

// testWorkers is how many tests run at once. The loop keeps a processor for itself where there are
// several. The threads have the priority of the others: when the garbage collector stops the
// program, it waits for each of them, and so would the loop.
func testWorkers() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// judge logs what did not run, and returns an error when a test failed.
func (g *gate) judge(ran *suite.Report, t *control.Tests) error {
	for _, skipped := range t.Skipped {
		g.log.Warn("a test of the scripts was skipped", "test", skipped.Name, "file", skipped.File, "line", skipped.Line, "reason", skipped.Why)
	}
	if t.NotRunCount > 0 {
		g.log.Warn("not all tests of the scripts ran in their time: shorten them, or raise budget below [tests]", "not_run", t.NotRunCount,
			"budget", transcript.Duration(g.budget), "first", t.NotRun[0].Name)
	}
	if t.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%d of %s failed", failedText(ran), t.Failed, transcript.Count(len(ran.Results), "test"))
}

// counted tells what became of the tests.
func counted(ran *suite.Report) *control.Tests {
	t := &control.Tests{Passed: ran.Count(suite.Passed), Failed: ran.Count(suite.Failed)}
	t.Skipped, t.SkippedCount = untested(ran, suite.Skipped)
	t.NotRun, t.NotRunCount = untested(ran, suite.NotRun)
	return t
}

// notRead adds the files of tests that there was no time to read. Each counts as one test.
func notRead(t *control.Tests, names []string) {
	for _, name := range names {
		if t.NotRunCount++; len(t.NotRun) < maxUntestedNames {
			t.NotRun = append(t.NotRun, control.Untested{Name: "all of " + name, File: name, Line: 1, Why: "there was no time to read the file"})
		}
	}
}

// untested names the tests that ended so, at most maxUntestedNames, and counts them.
func untested(ran *suite.Report, outcome suite.Outcome) (list []control.Untested, count int) {
	for i := range ran.Results {
		r := &ran.Results[i]
		if r.Outcome != outcome {
			continue
		}
		if count++; count <= maxUntestedNames {
			list = append(list, control.Untested{Name: r.Test.Name, File: r.Test.Place.File, Line: r.Test.Place.Line, Why: r.Why})
		}
	}
	return list, count
}

// failedText tells how the first tests failed, as sesame test does.
func failedText(ran *suite.Report) string {
	failed := slices.DeleteFunc(slices.Clone(ran.Results), func(r suite.Result) bool { return r.Outcome != suite.Failed })
	more := len(failed) - maxFailedTests
	text := report.Failures(&report.Run{Report: &suite.Report{Results: failed[:min(len(failed), maxFailedTests)]}})
	if more > 0 {
		text += fmt.Sprintf("and %s more\n", transcript.Count(more, "test"))
	}
	return strings.TrimRight(text, "\n")
}
