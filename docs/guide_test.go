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
	page  string // below the root of the repository
	title string
	text  string
	files map[string]string // by the path in the first line of a block, else block0.lua and so on
	fails bool              // the page says that nothing there loads
}

// guides are the pages whose sections are directories of scripts. Where a section shows tests and
// no script, they are of the first script of the page.
var guides = []string{"README.md", "docs/scripts.md", "docs/testing.md"}

// name names the section in messages and in tables.
func (s *section) name() string { return s.page + "#" + s.title }

var shownPath = regexp.MustCompile(`^(?:--|#) ([\w./-]+\.[a-z]+)(: nothing here loads)?`)

// sections returns the sections of a page that show scripts.
func sections(t *testing.T, page string) (found []*section) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.SplitSeq("\n"+string(text), "\n## ") {
		title, _, _ := strings.Cut(text, "\n")
		s := &section{page: page, title: title, text: text, files: map[string]string{}}
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
		if s.has(".lua") {
			found = append(found, s)
		}
	}
	for _, s := range found {
		if s.has("_test.lua") && !s.hasScript() {
			maps.Copy(s.files, scriptsOf(found[0]))
		}
	}
	return found
}

// has reports whether a file of the section has a name that ends so.
func (s *section) has(suffix string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(s.files)), func(path string) bool { return strings.HasSuffix(path, suffix) })
}

func (s *section) hasScript() bool { return len(scriptsOf(s)) > 0 }

// scriptsOf returns the files of a section that are scripts.
func scriptsOf(s *section) map[string]string {
	scripts := maps.Clone(s.files)
	maps.DeleteFunc(scripts, func(path, _ string) bool {
		return filepath.Ext(path) != ".lua" || strings.HasSuffix(path, "_test.lua") || strings.HasPrefix(path, "lib/")
	})
	return scripts
}

var shownCapture = regexp.MustCompile(`captures/([\w-]+)\.pcap`)

// layOut writes the files of a section as its reader has them: the scripts in the directory
// scripts, and configurations beside it. Lists that the page does not show hold for nobody.
// Captures are those of the repository.
func (s *section) layOut(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for path, text := range s.files {
		for _, name := range list.FindAllStringSubmatch(text, -1) {
			if s.files[name[1]] == "" {
				put(t, filepath.Join(dir, "scripts", name[1]), "# nobody\n")
			}
		}
		for _, name := range shownCapture.FindAllStringSubmatch(text, -1) {
			for _, kind := range []string{".pcap", ".jsonl"} {
				stored, err := os.ReadFile("../pcaps/" + name[1] + kind)
				if err != nil {
					t.Fatal(err)
				}
				put(t, filepath.Join(dir, "scripts/captures", name[1]+kind), string(stored))
			}
		}
		if ext := filepath.Ext(path); ext != ".toml" && ext != ".yml" {
			path = "scripts/" + path
		}
		put(t, filepath.Join(dir, path), text)
	}
	return dir
}

// setFlags finds the values of options in a command of its own line.
var setFlags = regexp.MustCompile(`(?m)^    sesame check .*--set (\w+=\S+)`)

// TestGuide runs each example of the guides: the files of a section are a directory of scripts,
// which loads, and whose tests pass. When the section shows a run with its output, the run must
// have that output, and decides whether the tests pass.
func TestGuide(t *testing.T) {
	tested := 0
	for _, page := range guides {
		for _, s := range sections(t, page) {
			t.Run(s.name(), func(t *testing.T) {
				dir := s.layOut(t)
				if !s.has(".toml") {
					s.load(t, dir)
				}
				if s.showsRuns(t, dir) {
					tested++
				} else if s.has("_test.lua") {
					tested++
					if out, err := sesame(t, "test", "-s", filepath.Join(dir, "scripts")).CombinedOutput(); err != nil {
						t.Errorf("sesame test: %v\n%s", err, out)
					}
				}
			})
		}
	}
	if tested < 20 {
		t.Errorf("the tests of %d sections ran: expected those of each task", tested)
	}
}

// load checks the scripts of a section.
func (s *section) load(t *testing.T, dir string) {
	arguments := []string{"check", "-s", filepath.Join(dir, "scripts")}
	for _, m := range setFlags.FindAllStringSubmatch(s.text, -1) {
		arguments = append(arguments, "--set", m[1])
	}
	out, err := sesame(t, arguments...).CombinedOutput()
	if (err != nil) != s.fails {
		t.Fatalf("sesame check: %v, and the page says that it fails: %v\n%s", err, s.fails, out)
	}
}

// showsRuns compares the runs of tests that a section shows with what they print. It reports
// whether there are any.
func (s *section) showsRuns(t *testing.T, dir string) (any bool) {
	for _, block := range fence.FindAllStringSubmatch(s.text, -1) {
		if block[1] == "console" && strings.Contains(block[2], "sesame test") {
			compareConsole(t, s.page, dir, block[2])
			any = true
		}
	}
	return any
}

// put writes a file below a directory that may not be there.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
}
