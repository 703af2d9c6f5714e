package docs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A section is the text below one heading of a page, with the files that its blocks show.
type section struct {
	title string
	text  string
	files map[string]string // by the path in the first line of a block, else block0.lua and so on
	fails bool              // the page says that nothing there loads
}

var shownPath = regexp.MustCompile(`^(?:--|#) ([\w./-]+\.[a-z]+)(: nothing here loads)?`)

// sections returns the sections of a page that show scripts.
func sections(page string) (found []section) {
	for text := range strings.SplitSeq("\n"+page, "\n## ") {
		title, _, _ := strings.Cut(text, "\n")
		s := section{title: title, text: text, files: map[string]string{}}
		for i, block := range fence.FindAllStringSubmatch(text, -1) {
			m := shownPath.FindStringSubmatch(block[2])
			switch {
			case m != nil:
				s.files[m[1]] = block[2]
				s.fails = s.fails || m[2] != ""
			case block[1] == "lua":
				s.files[fmt.Sprintf("block%d.lua", i)] = block[2]
			}
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(s.files)), func(path string) bool { return filepath.Ext(path) == ".lua" }) {
			found = append(found, s)
		}
	}
	return found
}

// setFlags finds the values of options in a command of its own line.
var setFlags = regexp.MustCompile(`(?m)^    sesame check .*--set (\w+=\S+)`)

// guides are the pages whose sections are directories of scripts.
var guides = []string{"scripts.md"}

// TestGuide runs each example of the guides: the files of a section are a directory of scripts,
// which loads, and whose tests pass. The lists that it does not show hold for nobody.
func TestGuide(t *testing.T) {
	tested := 0
	for _, name := range guides {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections(string(page)) {
			t.Run(name+"/"+s.title, func(t *testing.T) {
				if s.run(t) {
					tested++
				}
			})
		}
	}
	if tested < 10 {
		t.Errorf("the tests of %d sections ran: expected those of each task", tested)
	}
}

// run loads the scripts of a section and runs its tests. It reports whether there are any.
func (s section) run(t *testing.T) bool {
	dir, tests := t.TempDir(), false
	for path, text := range s.files {
		for _, name := range list.FindAllStringSubmatch(text, -1) {
			if s.files[name[1]] == "" {
				put(t, filepath.Join(dir, name[1]), "# nobody\n")
			}
		}
		put(t, filepath.Join(dir, path), text)
		tests = tests || strings.HasSuffix(path, "_test.lua")
	}
	arguments := []string{"check", "-s", dir}
	for _, m := range setFlags.FindAllStringSubmatch(s.text, -1) {
		arguments = append(arguments, "--set", m[1])
	}
	out, err := sesame(t, arguments...).CombinedOutput()
	if (err != nil) != s.fails {
		t.Fatalf("sesame check: %v, and the page says that it fails: %v\n%s", err, s.fails, out)
	}
	if tests {
		if out, err := sesame(t, "test", "-s", dir).CombinedOutput(); err != nil {
			t.Errorf("sesame test: %v\n%s", err, out)
		}
	}
	return tests
}

// put writes a file below a directory that may not be there.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
}
