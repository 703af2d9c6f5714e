package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// testWith runs the tests with one configuration file; "": none was named. What does not load is a
// result, since other configurations may load. An error is one of the command line, or means that
// there are no tests.
func (p *program) testWith(ctx context.Context, c *cobra.Command, f *testFlags, file string, names []string) (report.Run, error) {
	run := report.Run{Config: file}
	settings, err := p.testConfig(c, f, file, names)
	if err != nil {
		return p.unloadedRun(run, f, err)
	}
	run.Dir = settings.Scripts
	files, err := readScripts(&settings)
	if err != nil {
		return p.unloadedRun(run, f, err)
	}
	return p.testFiles(ctx, f, run, files, &settings, names)
}

// testFiles runs the tests of files that were read.
func (p *program) testFiles(ctx context.Context, f *testFlags, run report.Run, files *source.Files, settings *config.Config, names []string) (report.Run, error) {
	run.Dir = files.Dir
	if _, err := files.Names(); err != nil {
		return run, err
	}
	if len(names) == 0 && len(files.TestNames()) == 0 {
		return run, noTests(files)
	}
	names, err := testNames(files, names)
	if err != nil {
		return run, err
	}
	options := scriptOptions(settings)
	options.Print = func(at source.Place, line string) { p.note("%s: %s", at, line) }
	tests, err := scripting.LoadTests(ctx, files, options, names...)
	if err == nil && !f.noted[files.Dir] {
		f.noted[files.Dir] = true
		p.noteStrays(files, names, tests)
		if !settings.AllowWritable {
			p.warnOfWritableTests(writable.Find(targetsOfTests(files.Dir, tests)))
		}
	}
	if err == nil && len(tests) == 0 {
		return run, errors.New("no test was found, so nothing was run")
	}
	if err == nil {
		err = loadsAlone(files, options, tests)
	}
	if err != nil {
		return p.unloadedRun(run, f, err)
	}
	run.Report = suite.Run(ctx, suite.Config{
		Files: files, Tests: tests, Options: options, Dir: files.Dir,
		Match:  func(t *spec.Test) bool { return f.match == nil || f.match.MatchString(t.Name) },
		Update: f.update, Coverage: f.coverage,
	})
	return run, nil
}

// loadsAlone returns why the scripts do not load with the options of the configuration. When a test
// has options of its own they may load with these: then the tests tell.
func loadsAlone(files *source.Files, options scripting.Options, tests []*spec.Test) error {
	set, err := scripting.Load(files, options)
	if err == nil {
		set.Close()
	}
	if slices.ContainsFunc(tests, func(t *spec.Test) bool { return len(t.Options) > 0 }) {
		return nil
	}
	return err
}

// testConfig returns the settings of one configuration file. Without one they are those of all
// commands that only read scripts, but a path of a test file names its directory too.
func (p *program) testConfig(c *cobra.Command, f *testFlags, file string, names []string) (config.Config, error) {
	if len(f.configs) == 0 {
		scripts := f.scripts
		if scripts.path == "" && len(names) > 0 {
			if _, err := os.Stat(names[0]); err == nil {
				scripts.path = filepath.Dir(names[0])
			}
		}
		return p.offlineConfig(c, &scripts)
	}
	if file == "" {
		return config.Config{}, &usageError{c, "-c: it is empty: expected a configuration file, or leave it out"}
	}
	values, err := parseValues(c, f.scripts.values)
	if err != nil {
		return config.Config{}, err
	}
	settings, err := config.Load(file)
	if err != nil {
		return settings, err
	}
	p.warnOf(&settings)
	maps.Copy(settings.Options, values)
	if f.scripts.path != "" {
		settings.Scripts = f.scripts.path
	}
	return settings, nil
}

// unloadedRun notes why nothing ran with a configuration. In text the reasons go to standard error,
// as those of sesame check do. Mistakes on the command line end the command.
func (p *program) unloadedRun(run report.Run, f *testFlags, err error) (report.Run, error) {
	if usage, ok := errors.AsType[*usageError](err); ok {
		return run, usage
	}
	for _, one := range problemsOf(err).Problems {
		run.Problems = append(run.Problems, report.Problem(one))
	}
	if f.format == "text" {
		if run.Config != "" {
			p.note("with %s:", run.Config)
		}
		p.complain(err)
	}
	return run, nil
}

// noTests says where tests are looked for, and how to begin one.
func noTests(files *source.Files) error {
	where, name := files.Dir, "ssh_test.lua"
	if files.Single != "" {
		name = strings.TrimSuffix(files.Single, ".lua") + "_test.lua"
		where = filepath.Join(where, files.Single)
		return fmt.Errorf("no tests of %s: expected them in %s beside it; sesame simulate --format test CAPTURE writes some", where, name)
	}
	return fmt.Errorf("no tests in %s: expected files such as %s; sesame simulate --format test CAPTURE writes one", where, name)
}

// testNames returns the names of files of tests below the directory of the scripts. An argument is
// such a name, or a path.
func testNames(files *source.Files, args []string) ([]string, error) {
	dir, err := filepath.Abs(files.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding the tests: %w", err)
	}
	names := make([]string, len(args))
	for i, arg := range args {
		names[i] = arg
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
			continue // a name: the loader says when there is no such file
		}
		path, err := filepath.Abs(arg)
		if err != nil {
			return nil, fmt.Errorf("finding the tests: %w", err)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%s is not beside the scripts in %s: name their directory with -s, or tests that are there", arg, files.Dir)
		}
		names[i] = filepath.ToSlash(name)
	}
	return names, nil
}
