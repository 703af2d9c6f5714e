package suite_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

var allMutants = flag.Bool("mutants", false, "try all mutants of the shipped scripts, and not every tenth")

// shipped are the scripts that are shipped, and the files beside them that they use.
var shipped = []struct {
	dir, script string
	data        []string
}{
	{"scripts", "allow-list.lua", []string{"lists/friends.netset"}},
	{"scripts", "beacon.lua", nil},
	{"scripts", "classic.lua", nil},
	{"scripts", "country.lua", nil},
	{"scripts", "eu.lua", []string{"lib/eu.lua"}},
	{"scripts", "office-hours.lua", []string{"lists/holidays.txt"}},
	{"scripts", "service.lua", nil},
	{"scripts", "ssh.lua", nil},
	{"scripts", "two-person.lua", nil},
	{"scripts", "users.lua", []string{"lib/users.lua"}},
	{"scripts", "vpn-then-admin.lua", nil},
	{"scripts/knockd", "knockd.lua", []string{"knockd.conf"}},
}

// root is the directory of the repository.
const root = "../.."

// run runs the tests of files, and returns what failed, a line for each failure.
func run(t *testing.T, files *source.Files, workers int) []string {
	t.Helper()
	tests, err := scripting.LoadTests(t.Context(), files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(tests) == 0 {
		t.Fatal("there are no tests")
	}
	report := suite.Run(context.Background(), suite.Config{Files: files, Tests: tests, Workers: workers, Update: *update})
	var failed []string
	for _, result := range report.Results {
		for _, golden := range result.Golden {
			if !*update {
				continue
			}
			if err := os.WriteFile(golden.Path, golden.Got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if result.Outcome == suite.Passed {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s %q: %v %s", result.Test.Place, result.Test.Name, result.Outcome, result.Why))
		for _, f := range result.Failures {
			failed = append(failed, fmt.Sprintf("  %s: %s\n    expected %s\n    came     %s\n    %s", f.Place, f.Message, f.Expected, f.Came, strings.Join(f.Explanation, "\n    ")))
		}
	}
	return failed
}

func passes(t *testing.T, path string) {
	t.Helper()
	files, err := source.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if failed := run(t, files, 0); failed != nil {
		t.Errorf("%s:\n%s", path, strings.Join(failed, "\n"))
	}
}

// Each shipped script has tests, and passes them alone and together with the others.
func TestShippedScripts(t *testing.T) {
	for _, s := range shipped {
		t.Run(s.script, func(t *testing.T) { passes(t, filepath.Join(root, s.dir, s.script)) })
	}
	for _, dir := range []string{"scripts", "scripts/knockd"} {
		t.Run(dir, func(t *testing.T) { passes(t, filepath.Join(root, dir)) })
		scripts, err := filepath.Glob(filepath.Join(root, dir, "*.lua"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range scripts {
			name := filepath.Base(path)
			listed := slices.ContainsFunc(shipped, func(s struct {
				dir, script string
				data        []string
			}) bool {
				return s.dir == dir && s.script == name
			})
			if !strings.HasSuffix(name, "_test.lua") && !listed {
				t.Errorf("%s is not among the scripts that are tested", path)
			}
		}
	}
}

// Each regression that somebody may plant is found by a test that tells what is wrong.
func TestPlantedRegressions(t *testing.T) {
	for _, tt := range []struct{ script, file, was, is, want string }{
		{"ssh.lua", "ssh.lua", `"tcp/2904", "tcp/6117"`, `"tcp/2904"`, `"without knock 4"`},
		{"office-hours.lua", "office-hours.lua", `to = "19:00", tz = "Europe/Madrid"`, `to = "19:00", tz = "Europe/London"`, `"at 2026-11-23 19:00:30"`},
		{"eu.lua", "lib/eu.lua", `"HR", `, ``, `"in the Union: HR"`},
		{"country.lua", "country.lua", `{ lan, iberia }`, `{ lan }`, `"Spain and Portugal"`},
	} {
		text, err := os.ReadFile(filepath.Join(root, "scripts", tt.file))
		if err != nil || !strings.Contains(string(text), tt.was) {
			t.Fatalf("%s does not have %s: %v", tt.file, tt.was, err)
		}
		files := with(t, "scripts", tt.script, tt.file, strings.ReplaceAll(string(text), tt.was, tt.is))
		if failed := strings.Join(run(t, files, 0), "\n"); !strings.Contains(failed, tt.want) {
			t.Errorf("%s with %s in place of %s: %s", tt.file, tt.is, tt.was, failed)
		}
	}
}

// The pairs of a script and its tests that the format was agreed by.
func TestPairs(t *testing.T) {
	scripts, err := filepath.Glob("testdata/pairs/*_test.lua")
	if err != nil || len(scripts) != 10 {
		t.Fatalf("%d pairs, %v", len(scripts), err)
	}
	for _, path := range scripts {
		path = strings.TrimSuffix(path, "_test.lua") + ".lua"
		t.Run(filepath.Base(path), func(t *testing.T) { passes(t, path) })
	}
}

// with returns the files of a script, in which one has another text.
func with(t *testing.T, dir, script, name, text string) *source.Files {
	t.Helper()
	base, err := filepath.Abs(filepath.Join(root, dir))
	if err != nil {
		t.Fatal(err)
	}
	read, err := source.Read(filepath.Join(root, dir, script))
	if err != nil {
		t.Fatal(err)
	}
	var stored []source.File
	for _, path := range slices.Concat([]string{script, strings.TrimSuffix(script, ".lua") + "_test.lua"}, modules(t, base)) {
		content, err := os.ReadFile(filepath.Join(base, path))
		if err != nil {
			t.Fatal(err)
		}
		if path == name {
			content = []byte(text)
		}
		stored = append(stored, source.File{Path: path, Source: content})
	}
	files := source.Of(read.Dir, script, stored)
	files.Base = base
	files.ReadReferenced = func(path string) ([]byte, error) {
		if path == filepath.Join(base, name) {
			return []byte(text), nil
		}
		return source.ReadReferenced(path)
	}
	return files
}

func modules(t *testing.T, base string) []string {
	t.Helper()
	list, err := fs.Glob(os.DirFS(base), "lib/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var decimal = regexp.MustCompile(`\d+`)

// TestMutants changes one constant of a shipped script, and the tests of the script must notice.
// One in twenty may pass: some constants, such as the time-out of a command, change nothing that a
// test can see. A variant that does not load is none.
func TestMutants(t *testing.T) {
	counted, killed, number := 0, 0, 0
	for _, s := range shipped {
		for _, name := range append([]string{s.script}, s.data...) {
			text, err := os.ReadFile(filepath.Join(root, s.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			variants := mutants(string(text))
			if !strings.HasSuffix(name, ".lua") {
				variants = lineMutants(string(text), decimal)
			}
			for _, m := range variants {
				if number++; number%10 != 0 && !*allMutants {
					continue
				}
				files := with(t, s.dir, s.script, name, m.text)
				set, err := scripting.Load(files, scripting.Options{})
				if err != nil {
					continue
				}
				set.Close()
				if counted++; run(t, files, 0) != nil {
					killed++
				} else {
					t.Logf("%s:%d: no test of %s notices: %s", name, m.line, s.script, m.what)
				}
			}
		}
	}
	t.Logf("%d of %d mutants are noticed", killed, counted)
	if counted < 20 || killed*100 < counted*95 {
		t.Errorf("the tests notice %d of %d mutants: expected 95 in 100", killed, counted)
	}
}
