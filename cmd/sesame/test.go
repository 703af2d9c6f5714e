package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"sesame/scripting/source"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// testFlags are the flags of sesame test.
type testFlags struct {
	scripts  scriptFlags
	configs  []string // as given: a name may be a pattern
	run      string
	match    *regexp.Regexp // of run; nil: all
	format   string
	json     bool
	verbose  bool
	update   bool
	coverage bool
	noted    map[string]bool // directories of scripts whose files of tests that never run were named
}

func (p *program) testCommand() *cobra.Command {
	f := &testFlags{noted: map[string]bool{}}
	c := &cobra.Command{
		Use:   "test [flags] [TESTFILE...]",
		Short: "Run the tests of the scripts, and print what fails",
		Long: `Test runs the tests in the files *_test.lua beside the scripts: those of TESTFILE,
or else all. Each test has an engine of its own in virtual time. No test opens
anything, runs a command, or asks a database or a clock of this machine.

A failure begins with the place of the expectation, and has what was expected, what
came, how far the knocks came, and the smallest change that would have opened the
door.

With -c the options of a configuration file hold, where a test does not set them.
Given several times, or with a pattern such as 'gateways/*.toml', the tests run
with each file, and a table shows which test failed with which.

The exit status is 0 when no test failed, 1 when a test failed, and 2 when the
scripts or the tests do not load, when no test was found or all were skipped, or
when the run was interrupted.`,
		Example: `  sesame test -s scripts
  sesame test scripts/ssh_test.lua --run 'hours|night' -v
  sesame test -s scripts -c 'gateways/*.toml'
  sesame test --format junit >report.xml`,
		RunE: func(c *cobra.Command, args []string) error { return p.test(c, f, args) },
	}
	flags := c.Flags()
	flags.StringArrayVarP(&f.configs, "config", "c", nil, "use scripts and options of this configuration file; may be given again, or have * and ?")
	flags.StringVarP(&f.scripts.path, "scripts", "s", "", "directory of scripts, or one script (default ./scripts, else those of this machine's daemon)")
	flags.StringArrayVar(&f.scripts.values, "set", nil, "set an option of the scripts, as name=value; a list has commas")
	flags.StringVar(&f.run, "run", "", "run only tests with a name that matches this regular expression")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print the tests that passed, too")
	flags.StringVar(&f.format, "format", "text", `"text" for people, "json" for programs, "junit" and "github" for continuous integration`)
	completeFlag(c, "format", "text", "json", "junit", "github")
	flags.BoolVar(&f.json, "json", false, "the same as --format json")
	flags.BoolVar(&f.update, "update", false, "write the golden transcripts anew instead of comparing them")
	flags.BoolVar(&f.coverage, "coverage", false, "print which doors, stages, outcomes of conditions and lines no test uses")
	return c
}

// test runs the tests with each configuration, and prints the results.
func (p *program) test(c *cobra.Command, f *testFlags, args []string) error {
	names, err := f.check(c, args)
	if err != nil {
		return err
	}
	configs, err := f.files(c)
	if err != nil {
		return err
	}
	ctx, _, forget := p.interruptible(c.Context(), nil)
	defer forget()
	var runs []report.Run
	for _, file := range configs {
		run, err := p.testWith(ctx, c, f, file, names)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	if f.update {
		if err := writeGolden(runs); err != nil {
			return err
		}
	}
	p.judgeTests(f, runs)
	return p.writeResults(f, runs)
}

// check checks the flags, and returns the files of tests that the arguments name. The shell may
// have made several arguments of -c with a pattern: names that end in .toml are configurations.
func (f *testFlags) check(c *cobra.Command, args []string) (names []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			return nil, &usageError{c, fmt.Sprintf("%s is a directory: write sesame test -s %s", arg, word(arg))}
		case err == nil && filepath.Ext(arg) == ".lua" && !source.IsTest(arg):
			return nil, &usageError{c, fmt.Sprintf("%s is a script: for its tests write sesame test -s %s", arg, word(arg))}
		case filepath.Ext(arg) != ".toml":
			names = append(names, arg)
		case len(f.configs) > 0:
			f.configs = append(f.configs, arg)
		default:
			return nil, &usageError{c, fmt.Sprintf("%q is no file of tests: name a configuration with -c", arg)}
		}
	}
	if f.run != "" {
		if f.match, err = regexp.Compile(f.run); err != nil {
			return nil, &usageError{c, fmt.Sprintf("--run %q: %v", f.run, err)}
		}
	}
	if f.json && c.Flags().Changed("format") && f.format != "json" {
		return nil, &usageError{c, "--json and --format " + f.format + ": leave one of them out"}
	}
	if f.json {
		f.format = "json"
	}
	return names, errors.Join(oneOf(c, "format", f.format, "text", "json", "junit", "github"))
}

// files returns the configuration files to test with, in the order in which they were named, and
// those of a pattern by name. One that is empty means that none was named.
func (f *testFlags) files(c *cobra.Command) ([]string, error) {
	var files []string
	known := map[string]bool{}
	for _, pattern := range f.configs {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, &usageError{c, fmt.Sprintf("-c %q: %v", pattern, err)}
		}
		if found == nil { // it is no pattern, and loading it says what is wrong
			found = []string{pattern}
		}
		for _, file := range found {
			if !known[file] {
				known[file] = true
				files = append(files, file)
			}
		}
	}
	if files == nil {
		files = []string{""}
	}
	if len(files) > 1 && f.update {
		return nil, &usageError{c, "--update: with several configurations a golden transcript would be the one of the last: name one"}
	}
	return files, nil
}

// judgeTests sets the exit status. What did not run is no success.
func (p *program) judgeTests(f *testFlags, runs []report.Run) {
	count := func(o suite.Outcome) int { return report.Count(runs, o) }
	unloaded := report.Unloaded(runs)
	total := 0
	for _, o := range []suite.Outcome{suite.Passed, suite.Failed, suite.Skipped, suite.NotRun} {
		total += count(o)
	}
	switch {
	case unloaded > 0:
		p.status = couldNot
	case count(suite.Failed) > 0:
		p.status = answerNo
	case count(suite.NotRun) > 0:
		p.status = couldNot
		p.note("interrupted: tests that did not run are not known to pass")
	case total == 0:
		p.status = couldNot
		p.note("no test has a name that matches --run %q: sesame test -v lists the names", f.run)
	case count(suite.Passed) == 0:
		p.status = couldNot
		p.note("all tests were skipped: nothing was run")
	}
}

// writeResults writes the results to standard output. Formats for programs have no line for people
// there, so it goes to standard error when something is wrong.
func (p *program) writeResults(f *testFlags, runs []report.Run) error {
	if p.status != done && (f.format == "json" || f.format == "junit") {
		p.note("%s", report.Summary(runs))
	}
	switch f.format {
	case "json":
		return p.writeJSON(report.JSON(runs))
	case "junit":
		text, err := report.JUnit(runs)
		if err == nil {
			_, err = p.stdout.Write(text)
		}
		return err
	case "github":
		return p.print("%s", report.GitHub(runs))
	}
	if len(runs) == 1 && report.Unloaded(runs) == 1 {
		return nil // the reasons are on standard error
	}
	return p.print("%s", report.Text(runs, f.verbose))
}
