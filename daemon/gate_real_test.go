package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/control"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
)

// A door with two knocks, and a test of it.
const (
	testedDoor = `sesame.door "d" { sequence = { "tcp/1", "tcp/2" }, guards = "tcp/22", tripwires = 0 }`
	doorTest   = `sesame.test "both knocks" {
  { knock = { "tcp/2" } },
  { knock = "d", opens = "d" },
}`
)

// tests writes the file of tests beside the script.
func (w *reloading) tests(text string) {
	w.Helper()
	writeFile(w, w.dir+"/a_test.lua", text)
}

// move renames a script, whose text may change with it.
func (w *reloading) move(from, to, text string) {
	w.Helper()
	must(w, os.Remove(filepath.Join(w.dir, from)))
	writeFile(w, filepath.Join(w.dir, to), text)
}

func (w *reloading) logged(text string) {
	w.Helper()
	if !strings.Contains(w.log.String(), text) {
		w.Errorf("the log has no %q: %s", text, w.log)
	}
}

// TestRealGate edits scripts that have tests. No set of which a test fails is ever in force.
func TestRealGate(t *testing.T) {
	w := newReloading(t, testedDoor, nil)

	t.Log("# a test alone: the scripts stay as they are, and the test has run")
	w.tests(doorTest)
	o := w.hint()
	w.wantOutcome(o, control.Unchanged, 1)
	if o.tests == nil || o.tests.Passed != 1 || o.tests.Failed != 0 {
		t.Errorf("tests: %+v, want one that passed", o.tests)
	}
	w.wantOutcome(w.hint(), control.Unchanged, 1)

	t.Log("# an edit that makes the sequence shorter: the earlier one stays")
	w.script(strings.Replace(testedDoor, `"tcp/1", `, "", 1))
	o = w.hint()
	w.wantOutcome(o, control.Rejected, 1, "a_test.lua:2:", "d opened", "1 of 1 test failed")
	w.logged("scripts rejected, since a test fails: the old ones stay")
	w.logged("sesame reload --skip-tests")
	w.knock(2)
	w.wantOpened()
	w.knock(1, 2)
	w.wantOpened("d")
	w.wantOutcome(w.hint(), control.Unchanged, 1)

	t.Log("# a person insists")
	o = w.r.reload(w.Context(), wish{skipTests: true}, false)
	w.wantOutcome(o, control.Applied, 2)
	if o.tests == nil || o.tests.Off == "" {
		t.Errorf("tests: %+v, want the reason why none ran", o.tests)
	}
	w.logged("the tests were skipped, as was requested")
	w.knock(2)
	w.wantOpened("d")

	t.Log("# and asks again, with the tests: they fail, and the scripts that run go on")
	o = w.r.reload(w.Context(), wish{}, false)
	w.wantOutcome(o, control.Rejected, 2, "1 of 1 test failed", "these are the scripts that run")

	t.Log("# the next edit is judged again")
	w.script(testedDoor + ` -- both`)
	o = w.hint()
	w.wantOutcome(o, control.Applied, 3)
	if len(o.changes) == 0 || o.tests.Passed != 1 {
		t.Errorf("changes %v, tests %+v: want some changes, and one test that passed", o.changes, o.tests)
	}

	t.Log("# a test that does not load")
	w.tests(strings.Replace(doorTest, "opens", "open", 1))
	w.wantOutcome(w.hint(), control.Rejected, 3, "a_test.lua:3:", `did you mean "opens"`)

	t.Log("# a test alone that fails rejects, and the scripts that run go on")
	w.tests(strings.Replace(doorTest, `opens = "d"`, `opens = false`, 1))
	w.wantOutcome(w.hint(), control.Rejected, 3, "a_test.lua:3:")
	w.knock(1, 2)
	w.wantOpened("d")

	t.Log("# a capture that is missing rejects nothing")
	w.tests(`sesame.test "from the field" { { replay = "captures/none.pcap", opens = "d" } }`)
	o = w.hint()
	w.wantOutcome(o, control.Unchanged, 3)
	if o.tests.SkippedCount != 1 || o.tests.Skipped[0].Name != "from the field" || !strings.Contains(o.tests.Skipped[0].Why, "none.pcap") {
		t.Errorf("tests: %+v, want one that was skipped", o.tests)
	}
	w.logged("a test of the scripts was skipped")

	t.Log("# a person who asks again gets the test, which fails now that there is a capture")
	must(t, os.Mkdir(filepath.Join(w.dir, "captures"), 0o700))
	writeFile(t, filepath.Join(w.dir, "captures", "none.pcap"), "no capture")
	w.wantOutcome(w.hint(), control.Unchanged, 3)
	w.wantOutcome(w.r.reload(w.Context(), wish{}, false), control.Rejected, 3, "none.pcap")
}

// TestRealGateHasABudget ends the budget in the middle of the tests. What did not run has not
// failed, and is named until it has run.
func TestRealGateHasABudget(t *testing.T) {
	w := newReloading(t, testedDoor, nil)
	w.r.gate.run = func(_ context.Context, c suite.Config) *suite.Report {
		if !c.CheapestFirst {
			t.Error("the cheapest tests do not come first")
		}
		return &suite.Report{Stopped: context.DeadlineExceeded, Results: results(c.Tests, suite.NotRun)}
	}
	notRun := func(o outcome) {
		t.Helper()
		if o.tests == nil || o.tests.NotRunCount != 1 || o.tests.NotRun[0].Name != "both knocks" {
			t.Errorf("tests: %+v, want one for which there was no time", o.tests)
		}
	}
	w.tests(doorTest)
	o := w.hint()
	w.wantOutcome(o, control.Unchanged, 1)
	notRun(o)
	w.logged("not all tests of the scripts ran in their time")

	t.Log("# other files that are wrong, and then the same again: that is still so")
	w.script("sesame.door {")
	w.wantOutcome(w.hint(), control.Rejected, 1)
	w.script(testedDoor)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	notRun(w.r.last)

	t.Log("# a person asks, and there is no time again")
	o = w.r.reload(w.Context(), wish{}, false)
	w.wantOutcome(o, control.Unchanged, 1)
	notRun(o)

	t.Log("# a person asks, and they fail: the scripts that run go on")
	w.r.gate.run = func(_ context.Context, c suite.Config) *suite.Report {
		return &suite.Report{Results: results(c.Tests, suite.Failed)}
	}
	o = w.r.reload(w.Context(), wish{}, false)
	w.wantOutcome(o, control.Rejected, 1, "1 of 1 test failed", "these are the scripts that run")
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	if w.r.last.kind != control.Rejected {
		t.Errorf("the last outcome is %+v, want that the tests of the scripts fail", w.r.last)
	}

	t.Log("# a person asks, and they pass: after that none needs to run")
	ran := 0
	w.r.gate.run = func(_ context.Context, c suite.Config) *suite.Report {
		ran++
		return &suite.Report{Results: results(c.Tests, suite.Passed)}
	}
	for range 2 {
		w.wantOutcome(w.r.reload(w.Context(), wish{}, false), control.Unchanged, 1)
	}
	if last := w.r.last; ran != 1 || last.kind != control.Unchanged || last.tests == nil || last.tests.Passed != 1 {
		t.Errorf("the tests ran %d times, want once, and the last outcome is %+v", ran, last)
	}

	t.Log("# without a budget none runs, and that is said")
	w.r.gate.budget = 0
	w.script(strings.Replace(testedDoor, "tcp/2", "tcp/3", 1))
	o = w.hint()
	w.wantOutcome(o, control.Applied, 2)
	if o.tests == nil || o.tests.Off == "" {
		t.Errorf("tests: %+v, want the reason why none ran", o.tests)
	}
}

// TestRealGateReadsWithinTheBudget has no time at all, not even to read the tests. They are named.
func TestRealGateReadsWithinTheBudget(t *testing.T) {
	w := newReloading(t, testedDoor, nil)
	w.r.gate.budget = 1
	w.tests(doorTest)
	writeFile(t, w.dir+"/b_test.lua", `while true do end`)
	w.script(strings.Replace(testedDoor, "tcp/2", "tcp/3", 1))
	o := w.hint()
	w.wantOutcome(o, control.Applied, 2)
	want := []control.Untested{
		{Name: "all of a_test.lua", File: "a_test.lua", Line: 1, Why: "there was no time to read the file"},
		{Name: "all of b_test.lua", File: "b_test.lua", Line: 1, Why: "there was no time to read the file"},
	}
	if diff := cmp.Diff(&control.Tests{NotRun: want, NotRunCount: 2}, o.tests); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
}

// TestRealGateEndsWithTheDaemon ends the daemon while tests run, which never end by themselves. The
// reload ends, and changes nothing.
func TestRealGateEndsWithTheDaemon(t *testing.T) {
	w := newReloading(t, testedDoor, nil)
	ctx, cancel := context.WithCancel(t.Context())
	w.r.gate.run = func(ctx context.Context, c suite.Config) *suite.Report {
		cancel()
		<-ctx.Done()
		return &suite.Report{Stopped: ctx.Err(), Results: results(c.Tests, suite.NotRun)}
	}
	w.script(strings.Replace(testedDoor, "tcp/2", "tcp/3", 1))
	w.tests(doorTest)
	o := w.r.reload(ctx, wish{}, true)
	w.wantOutcome(o, control.Rejected, 1)
	if w.r.generation != 1 || w.r.last.kind != "" {
		t.Errorf("generation %d, last outcome %+v: want no change", w.r.generation, w.r.last)
	}
}

// TestRealGateTellsALimitedNumber rejects scripts of which many tests fail.
func TestRealGateTellsALimitedNumber(t *testing.T) {
	w := newReloading(t, testedDoor, nil)
	w.tests(`for i = 1, 100 do sesame.test("fails " .. i) { { knock = "d" } } end`)
	o := w.hint()
	w.wantOutcome(o, control.Rejected, 1, "and 90 tests more", "100 of 100 tests failed")
	if n := strings.Count(o.text, ": failed: "); n != maxFailedTests {
		t.Errorf("%d failures are told, want %d", n, maxFailedTests)
	}
}

// results returns a result for each test.
func results(tests []*spec.Test, outcome suite.Outcome) []suite.Result {
	all := make([]suite.Result, len(tests))
	for i, one := range tests {
		all[i] = suite.Result{Test: one, Outcome: outcome}
	}
	return all
}
