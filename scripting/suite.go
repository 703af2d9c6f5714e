package scripting

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/spelling"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// LoadTests reads files of tests by their names, as [source.Files.TestNames] has them; without
// names all of them. The tests come in the order of the names of their files, and then in that of
// their own. An error is of type [source.Problems]; the tests of files that have no problem are
// returned with it. Whether the doors that a test names exist shows only when it runs, since its
// options may decide that. Of the options only Print is used.
//
// When ctx ends, the files that come then are not read. Without a problem in those before them, the
// error is of type [*Unread], and the tests that were read are returned with it. What is read of a
// file then is bounded as that of a script is.
func LoadTests(ctx context.Context, files *source.Files, opt Options, names ...string) ([]*spec.Test, error) {
	known := files.TestNames()
	if len(names) == 0 {
		names = known
	}
	scripts := files.Tests()
	defer scripts.Close()
	l := &testLoader{scripts: scripts, options: Options{Print: opt.Print}}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if !slices.Contains(known, name) {
			l.problems.Add(&source.Problem{File: name, Message: "there is no such file of tests in " + files.Dir + spelling.DidYouMean(name, known)})
			continue
		}
		if ctx.Err() != nil {
			l.unread = append(l.unread, name)
			continue
		}
		l.load(name)
	}
	switch {
	case len(l.problems) > 0:
		return l.tests, l.problems.Sorted()
	case l.unread != nil:
		return l.tests, &Unread{Files: l.unread, cause: context.Cause(ctx)}
	}
	return l.tests, nil
}

// An Unread is the error of [LoadTests] when there was no time for some files.
type Unread struct {
	Files []string // in the order of their names, at least one
	cause error
}

func (u *Unread) Error() string {
	return fmt.Sprintf("reading the tests: there was no time for %s: %v", strings.Join(u.Files, ", "), u.cause)
}

// Unwrap returns why the context has ended.
func (u *Unread) Unwrap() error { return u.cause }

// A testLoader collects the tests and the problems of files of tests.
type testLoader struct {
	options  Options
	scripts  *source.Scripts
	tests    []*spec.Test
	problems source.Problems
	unread   []string
}

func (l *testLoader) load(name string) {
	l.scripts.Renew()
	file, err := l.scripts.Load(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	s := &script{source: file, scripts: l.scripts, api: TestAPI(), options: l.options, read: map[fileKey]any{}}
	registered, err := s.start()
	defer s.state.Close()
	l.problems.Add(registered.problems...)
	if err != nil {
		l.fail(name, registered.during(err))
	}
	if err == nil && len(registered.problems) == 0 {
		slices.SortStableFunc(registered.tests, func(a, b *spec.Test) int { return cmp.Compare(a.Name, b.Name) })
		l.tests = append(l.tests, registered.tests...)
	}
}

func (l *testLoader) fail(name string, err error) {
	l.problems.Add(source.ProblemsOf(name, err)...)
	l.problems.Add(l.scripts.Failed()...)
}

// What a test and a step, or one of its entries, count for while the file loads.
const testBytes, stepBytes, entryBytes = 1024, 1024, 512

// A testDraft is a test while its table is read.
type testDraft struct {
	spec.Test
	script *script
}

func registerTest(s *script, v value, name string) lua.LValue {
	s.state.Charge(int64(1+len(s.loading.tests)/64), testBytes)
	d := &testDraft{Test: spec.Test{Name: name, File: s.source.Path, Place: v.at}, script: s}
	for _, earlier := range s.loading.tests {
		if earlier.Name == name {
			v.fail("a test of this name is at %s already: give each a name of its own", earlier.Place)
			return lua.LNil
		}
	}
	s.loading.tests = append(s.loading.tests, &d.Test)
	if read(v, testOptions(), readStep, d) && len(d.Steps) == 0 {
		v.fail(`it has no steps: write what happens, such as { knock = "ssh", from = "203.0.113.9", opens = "ssh" }`)
	}
	return lua.LNil
}

// readStep reads an entry without a key of the table of a test.
func readStep(v value, d *testDraft) {
	v.what = fmt.Sprintf("step %d", len(d.Steps)+1)
	d.script.state.Charge(1, stepBytes)
	step := &stepDraft{Step: spec.Step{Place: v.at}, script: d.script}
	if read(v, stepOptions(), nil, step) {
		step.finish(v)
	}
	d.Steps = append(d.Steps, step.Step)
}
