package docs_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// A weakening takes the protection out of a script of a guide. The tests must notice it.
type weakening struct {
	section  string // as [section.name] has it
	old, new string // in a script of the section
	fails    string // the test that notices it
}

var weakenings = []weakening{
	{"docs/testing.md#What a step expects", `"tcp/2904", "tcp/6117"`, `"tcp/2904"`, "three knocks are not enough"},
	{"docs/testing.md#Payloads and lists of packets", `knock.payload == "open sesame-4711"`, "true", "others"},
	{"docs/testing.md#Wrong knocks and scans", "within   =", "tripwires = 0, within =", "a scan does not open it"},
	{"docs/testing.md#Wrong knocks and scans", "within   =", `on_wrong = "ignore", within =`, "a wrong port ends the attempt"},
	{"docs/testing.md#Wrong knocks and scans", `"tcp/2904", "tcp/6117"`, `"udp/9133", "tcp/7421"`, "the wrong order opens nothing"},
	{"docs/testing.md#Many similar tests", `{ "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }`, `{ "udp/9133", "tcp/2904", "tcp/6117" }`, "not without tcp/7421"},
	{"docs/testing.md#Many similar tests", `{ "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }`, `{ "tcp/7421", "tcp/2904", "tcp/6117" }`, "not without udp/9133"},
	{"docs/testing.md#Many similar tests", `{ "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }`, `{ "tcp/7421", "udp/9133", "tcp/6117" }`, "not without tcp/2904"},
	{"docs/testing.md#Many similar tests", `{ "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }`, `{ "tcp/7421", "udp/9133", "tcp/2904" }`, "not without tcp/6117"},
	{"docs/scripts.md#Open with one datagram", "  length   = 20,\n", "", "other words"},
}

// TestWeakened holds that the examples of scans, and of knocks that bring about nothing, fail when
// the protection that they are about is taken out of the script. Whoever copies them would else
// have tests that cannot fail.
func TestWeakened(t *testing.T) {
	noticed := map[string]bool{} // section and test
	known := map[string]*section{}
	for _, page := range guides {
		for _, s := range sections(t, page) {
			known[s.name()] = s
		}
	}
	for _, w := range weakenings {
		s := known[w.section]
		if s == nil {
			t.Errorf("there is no section %s", w.section)
			continue
		}
		dir := s.layOut(t)
		s.weaken(t, dir, w)
		if failed := failedTests(t, dir); !slices.Contains(failed, w.fails) {
			t.Errorf("%s: with %q in place of %q the tests %q fail: expected %q too", w.section, w.new, w.old, failed, w.fails)
		}
		noticed[w.section+" "+w.fails] = true
	}
	for name, s := range known {
		for _, test := range quietTests(t, s) {
			if !noticed[name+" "+test] {
				t.Errorf("%s: a step of the test %q expects nothing: expected a row in weakenings that it notices", name, test)
			}
		}
	}
}

// weaken changes a script of a section that is laid out in dir.
func (s *section) weaken(t *testing.T, dir string, w weakening) {
	t.Helper()
	changed := 0
	for path, text := range scriptsOf(s) {
		if strings.Contains(text, w.old) {
			changed++
			write(t, filepath.Join(dir, "scripts", path), strings.Replace(text, w.old, w.new, 1))
		}
	}
	if changed != 1 {
		t.Errorf("%s: %d scripts have %q: expected one", w.section, changed, w.old)
	}
}

// failedTests runs the tests of a section that is laid out in dir.
func failedTests(t *testing.T, dir string) (failed []string) {
	t.Helper()
	out, _ := sesame(t, "test", "-s", filepath.Join(dir, "scripts"), "--json").Output()
	var results struct {
		Tests []struct{ Name, Outcome string }
	}
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("sesame test --json: %v\n%s", err, out)
	}
	for _, test := range results.Tests {
		if test.Outcome == "failed" {
			failed = append(failed, test.Name)
		}
	}
	return failed
}

// quietTests returns the tests of a section that would also pass without any door: in one of their
// steps packets come, and bring about nothing.
func quietTests(t *testing.T, s *section) (names []string) {
	t.Helper()
	if !s.has("_test.lua") {
		return nil
	}
	files, err := source.Read(filepath.Join(s.layOut(t), "scripts"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := scripting.LoadTests(t.Context(), files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	quiet := func(s spec.Step) bool { return s.Action != spec.NoAction && len(s.Strict) == 0 && s.Golden == "" }
	for _, test := range tests {
		if slices.ContainsFunc(test.Steps, quiet) {
			names = append(names, test.Name)
		}
	}
	return names
}
