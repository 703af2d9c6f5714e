package suite

import (
	"time"

	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// A Report has the results of tests.
type Report struct {
	Results  []Result  // one for each test that was chosen, in the order of [Config.Tests]
	Coverage *Coverage // nil unless it was asked for
	// Stopped says why not all tests ran; nil: all did. It is the error of the context.
	Stopped error
}

// Count returns how many tests ended in one way.
func (r *Report) Count(o Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			n++
		}
	}
	return n
}

// OK reports whether no test failed. Tests that were skipped, or did not run, did not fail.
func (r *Report) OK() bool { return r.Count(Failed) == 0 }

// An Outcome is how a test ended.
type Outcome uint8

// The outcomes.
const (
	NotRun  Outcome = iota // the time was over before it ended
	Passed                 // all that came is expected, and all that is expected came
	Failed                 // what came is not what it expects, or it could not run to its end
	Skipped                // a file that it needs is missing
)

// String returns "passed", "failed", "skipped" or "not_run".
func (o Outcome) String() string {
	return [...]string{"not_run", "passed", "failed", "skipped"}[o]
}

// A Result is what became of a test.
type Result struct {
	Test     *spec.Test
	Outcome  Outcome
	Why      string // of Skipped and NotRun: one clause
	Failures []Failure
	Golden   []GoldenFile // transcripts that differ from their files, when Update was asked for
	// Virtual is how much time passed in the test, and Packets how many it sent.
	Virtual time.Duration
	Packets int
}

// A Failure is one difference between what a test expects and what came.
type Failure struct {
	Place   source.Place // of the expectation, or of the step when something came that has none
	Message string       // one line, without the place
	// Expected and Came are spelled as in a test, one event a line; "" when there is nothing to
	// compare.
	Expected, Came string
	// Explanation has lines of the account: how far each source of the step came at the doors that
	// the failure is about, and the smallest change that would have opened the door.
	Explanation []string
}

// A GoldenFile is a golden transcript that is not what the step wrote.
type GoldenFile struct {
	Place source.Place // of the step
	Name  string       // as the test has it, see [OpenGolden]
	Path  string       // for people: a relative one was joined with [Config.Dir]
	Want  []byte       // what the file holds; nil: it is missing
	Got   []byte       // what the step wrote
}
