package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName   = regexp.MustCompile("`(Test\\w+)`")
	reasonCode = regexp.MustCompile("`([a-z]+(?:-[a-z]+)+)`")
	define     = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// testsOfTheTree returns the names of all test functions of the repository.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range define.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// TestFaults holds that each row of the table of faults says what happens, that its codes are
// those of the status, and that it names a test that is there.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("faults.md")
	if err != nil {
		t.Fatal(err)
	}
	running, err := os.ReadFile("running.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, rows := testsOfTheTree(t), 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		fault := strings.TrimSpace(cells[0])
		if !strings.HasPrefix(line, "| ") || fault == "fault" || fault == "---" || strings.HasPrefix(fault, "**") {
			continue
		}
		rows++
		if len(cells) != 4 || strings.TrimSpace(cells[1]) == "" {
			t.Errorf("%s: %d cells: expected 4, the second of them not empty", fault, len(cells))
			continue
		}
		for _, m := range reasonCode.FindAllStringSubmatch(cells[2], -1) {
			if !strings.Contains(string(running), "| `"+m[1]+"` |") {
				t.Errorf("%s: the status has no reason with the code %s", fault, m[1])
			}
		}
		names := testName.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("%s: no test", fault)
		}
		for _, m := range names {
			if !tests[m[1]] {
				t.Errorf("%s: there is no test %s", fault, m[1])
			}
		}
	}
	if rows < 50 {
		t.Errorf("%d faults: expected 50 or more", rows)
	}
}
