//go:build linux

package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// judge shows what an edit does, as sesame check, test and diff do. Good means that the daemon can
// take it: it loads, and its tests pass.
func (e *editing) judge(ctx context.Context) (good bool, err error) {
	f := &e.flags.diff
	side, err := readSide(e.config)
	if err != nil {
		return false, err
	}
	for _, f := range e.set.files {
		if f.there || f.changes() {
			side.files.Put(f.name, f.text)
		}
	}
	was, err := e.before(ctx, side)
	if err != nil {
		return false, err
	}
	if was != nil {
		defer was.set.Close()
	}
	set, err := side.load(was)
	if err != nil {
		e.complain(err)
		return false, nil
	}
	defer set.Close()
	if err := e.check(side, set); err != nil {
		return false, err
	}
	if passed, err := e.test(ctx, side); err != nil || !passed {
		return false, err
	}
	if was == nil {
		return true, nil
	}
	d, err := e.compareSides(ctx, e.command, f, nil, side, was, set)
	if err != nil {
		return false, err
	}
	_, names := e.set.copies()
	d.New = "your edit of " + strings.Join(names, " and ")
	if err := e.print("\n"); err != nil {
		return false, err
	}
	return true, e.printDiff(f, d)
}

// before returns the scripts to compare with: those that the daemon runs, else those on the disk;
// nil: these do not load, and no daemon answers.
func (e *editing) before(ctx context.Context, side *newSide) (*oldSide, error) {
	was, err := e.oldRunning(ctx, e.command, &e.flags.diff, side)
	switch {
	case err == nil:
		return was, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !errors.Is(err, errNoDaemon):
		e.note("compared with the scripts on the disk: %v", err)
	}
	disk, err := readScripts(&side.settings)
	if err != nil {
		return nil, err
	}
	set, err := scripting.Load(disk, scriptOptions(&side.settings))
	if err != nil {
		e.note("compared with nothing: the scripts on the disk do not load")
		return nil, nil
	}
	return &oldSide{name: disk.Dir + ", as it is on the disk", set: set}, nil
}

// check shows the findings of sesame check.
func (e *editing) check(side *newSide, set *scripting.Set) error {
	r := checked{Doors: len(set.Engine.Doors), Files: ownFiles(set), Findings: append([]lint.Finding{}, e.findings(set, &side.settings, nil)...)}
	return r.writeText(e.program)
}

// test runs the tests, and reports whether all passed that ran.
func (e *editing) test(ctx context.Context, side *newSide) (bool, error) {
	e.failing = nil
	if len(side.files.TestNames()) == 0 {
		e.note("there are no tests")
		return true, nil
	}
	f := &testFlags{format: "text", noted: map[string]bool{}}
	run, err := e.testFiles(ctx, f, report.Run{}, side.files.Clone(), &side.settings, nil)
	if err != nil {
		return false, err
	}
	if run.Report == nil { // the reasons were printed
		return false, nil
	}
	if err := e.print("%s", report.Text([]report.Run{run}, false)); err != nil {
		return false, err
	}
	for _, one := range run.Report.Results {
		if name := one.Test.File; one.Outcome == suite.Failed && !e.set.has(name) && !slices.Contains(e.failing, name) {
			e.failing = append(e.failing, name)
		}
	}
	return run.Report.Count(suite.Failed) == 0, ctx.Err()
}
