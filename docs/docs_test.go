// Package docs_test reads the documents as a reader does: it follows each link, runs the commands
// that are shown with their output, and loads the scripts that are shown.
package docs_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/writable/writabletest"
)

// maxColumns bounds lines of prose. Code, tables and lines of HTML may be longer.
const maxColumns = 100

// A document is one Markdown file of the repository.
type document struct {
	path string // below the root of the repository
	text string
}

func documents(t *testing.T) (found []document) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && entry.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		path, _ = filepath.Rel("..", path)
		found = append(found, document{path, string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found %d documents: expected README.md and docs/", len(found))
	}
	return found
}

var (
	fence  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	code   = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	marked = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// prose returns the text without blocks of code; its lines keep their numbers.
func (d document) prose() string {
	return fence.ReplaceAllStringFunc(d.text, func(block string) string {
		return strings.Repeat("\n", strings.Count(block, "\n"))
	})
}

// anchors returns the anchors that a host of repositories gives to the headings.
func (d document) anchors() (found []string) {
	for line := range strings.Lines(d.prose()) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = marked.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			found = append(found, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return found
}

func TestLinks(t *testing.T) {
	all := documents(t)
	for _, d := range all {
		for _, target := range d.links() {
			path, anchor, _ := strings.Cut(target, "#")
			to := d.path
			if path != "" {
				to = filepath.Join(filepath.Dir(d.path), path)
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", d.path, target, err)
				continue
			}
			i := slices.IndexFunc(all, func(d document) bool { return d.path == to })
			if anchor != "" && (i < 0 || !slices.Contains(all[i].anchors(), anchor)) {
				t.Errorf("%s: the link %s leads to no heading", d.path, target)
			}
		}
	}
}

// links returns the links inside the repository.
func (d document) links() (found []string) {
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(d.prose(), ""), -1) {
		if target := m[1] + m[2]; !strings.Contains(target, "://") {
			found = append(found, target)
		}
	}
	return found
}

func TestColumns(t *testing.T) {
	for _, d := range documents(t) {
		number := 0
		for line := range strings.Lines(d.prose()) {
			number++
			if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") ||
				strings.HasPrefix(strings.TrimSpace(line), "<") || utf8.RuneCountInString(line) <= maxColumns {
				continue
			}
			t.Errorf("%s:%d: %d columns: expected at most %d", d.path, number, utf8.RuneCountInString(line), maxColumns)
		}
	}
}

var programs string // a directory for the program under test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programs, err = os.MkdirTemp("", "docs"); err == nil {
			err = writabletest.TrustOwnerOfTemp()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(programs)
		return m.Run()
	}())
}

// build builds the program, once for the tests that run it.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programs, "sesame")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/sesame").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building sesame: %w\n%s", err, out)
	}
	return path, err
})

// sesame makes a run of the program.
func sesame(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), path, arguments...)
}

// Blocks of the language "console" show commands and their output, run in a copy of the root of the
// repository: another user may own the files here, and then commands warn of that. The directory
// my-scripts of the reader is docs/testdata/my-scripts here. TestGuide has those that run the tests
// of a section.
func TestConsole(t *testing.T) {
	ran, root := 0, copyOfRoot(t)
	for _, d := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(d.text, -1) {
			if block[1] != "console" || slices.Contains(guides, d.path) && strings.Contains(block[2], "sesame test") {
				continue
			}
			ran++
			compareConsole(t, d.path, root, block[2])
		}
	}
	if ran == 0 {
		t.Error("no document shows a command with its output")
	}
}

// copyOfRoot copies what shown commands read.
func copyOfRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"scripts", "pcaps", "docs/testdata"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join("..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var update = flag.Bool("update", false, "write what the commands print into the blocks of the documents")

// compareConsole runs the commands of a block in a directory, as a shell does, and compares what
// they print with what the block shows.
func compareConsole(t *testing.T, page, dir, block string) {
	t.Helper()
	printed := ""
	for shown := range strings.SplitSeq("\n"+block, "\n$ ") {
		if command, _, _ := strings.Cut(shown, "\n"); command != "" {
			printed += "$ " + command + "\n" + shell(t, dir, command)
		}
	}
	if *update && printed != block {
		replaceIn(t, page, block, printed)
		replaceIn(t, page+".tmpl", block, printed)
	} else if diff := cmp.Diff(block, printed); diff != "" {
		t.Errorf("%s (-shown +printed; make docs writes what is printed):\n%s", page, diff)
	}
}

// shell runs a command line with the program in a directory, and returns what it prints.
func shell(t *testing.T, dir, command string) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, "my-scripts", "docs/testdata/my-scripts"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// replaceIn replaces a text in a document, or in its template if it has one.
func replaceIn(t *testing.T, page, old, text string) {
	t.Helper()
	path := filepath.Join("..", page)
	stored, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil || !strings.Contains(string(stored), old) {
		t.Fatalf("%s has no block\n%s%v", page, old, err)
	}
	write(t, path, strings.Replace(string(stored), old, text, 1))
}

var list = regexp.MustCompile(`"(lists/[a-z-]+\.[a-z]+)"`)

// Blocks of the language "lua" are scripts that load. The lists that they name hold for nobody.
func TestScripts(t *testing.T) {
	for _, d := range documents(t) {
		for i, block := range fence.FindAllStringSubmatch(d.text, -1) {
			if block[1] != "lua" || slices.Contains(append([]string{"docs/from-knockd.md", "CONTRIBUTING.md"}, guides...), d.path) {
				continue // shown by a test of their own, or parts of scripts
			}
			dir := t.TempDir()
			path := filepath.Join(dir, fmt.Sprintf("block%d.lua", i))
			write(t, path, block[2])
			if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range list.FindAllStringSubmatch(block[2], -1) {
				write(t, filepath.Join(dir, name[1]), "# nobody\n")
			}
			if out, err := sesame(t, "check", "-s", path).CombinedOutput(); err != nil {
				t.Errorf("%s: a script that is shown does not load: %v\n%s", d.path, err, out)
			}
		}
	}
}

// The script that README.md and doors.md show is the one in scripts/.
func TestTheShownScriptIsShipped(t *testing.T) {
	shipped, err := os.ReadFile("../scripts/ssh.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../README.md", "doors.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(fence.FindAllStringSubmatch(string(text), -1), func(block []string) bool {
			return block[1] == "lua" && bare(block[2]) == bare(string(shipped))
		})
		if i < 0 {
			t.Errorf("%s does not show scripts/ssh.lua", path)
		}
	}
}

var comment = regexp.MustCompile(`(?m)\s*--.*$`)

// bare returns a script without comments, blank lines and the space that aligns columns.
func bare(script string) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(script, "")), " ")
}

var (
	use    = regexp.MustCompile(`(?m)(?:^ {4}|^ {7}|\x60|[|;] |&& |^)(?:sudo )?(sesame(?: [a-z]+)+)([^\x60\n|;#]*)`)
	option = regexp.MustCompile(`\s(--[a-z][a-z-]*|-[a-z])\b`)
)

// TestFlags holds that each flag of a command that a document shows is one of that command.
func TestFlags(t *testing.T) {
	help := map[string]string{}
	for _, d := range documents(t) {
		for _, m := range use.FindAllStringSubmatch(d.text, -1) {
			for _, f := range option.FindAllStringSubmatch(" "+m[2], -1) {
				words := strings.Fields(m[1])
				if _, ok := help[m[1]]; !ok {
					out, _ := sesame(t, append(words[1:], "--help")...).CombinedOutput()
					help[m[1]] = string(out)
				}
				if !regexp.MustCompile(`(?m)^\s.*` + f[1] + `\b`).MatchString(help[m[1]]) {
					t.Errorf("%s: %q has no flag %s", d.path, m[1]+m[2], f[1])
				}
			}
		}
	}
	if len(help) < 5 {
		t.Errorf("found flags of %d commands: expected those of many", len(help))
	}
}

// TestTheExampleOfContributing builds the program with the condition that CONTRIBUTING.md adds, and
// replays a capture through the script that uses it.
func TestTheExampleOfContributing(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program a second time")
	}
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		blocks[block[1]] = block[2]
	}
	api, err := os.ReadFile("../scripting/api.go")
	if err != nil {
		t.Fatal(err)
	}
	context, line, _ := strings.Cut(blocks["diff"], "\n+")
	context = strings.TrimPrefix(context, " ") + "\n"
	if !strings.Contains(string(api), context) {
		t.Fatalf("scripting/api.go has no line %q, behind which CONTRIBUTING.md adds one", context)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for path, content := range map[string]string{
		"scripting/condition/family.go": blocks["go"],
		"scripting/api.go":              strings.Replace(string(api), context, context+line, 1),
	} {
		in, err := filepath.Abs(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		replace[in] = filepath.Join(dir, filepath.Base(path))
		write(t, replace[in], content)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), string(overlay))
	write(t, filepath.Join(dir, "ssh.lua"), blocks["lua"])
	program := filepath.Join(dir, "sesame")
	overlaid := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "../cmd/sesame")
	if out, err := overlaid.CombinedOutput(); err != nil {
		t.Fatalf("building the example: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, "simulate", "-s", filepath.Join(dir, "ssh.lua"), "../pcaps/ssh-opens.pcap").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "modern: ipv6") {
		t.Errorf("the example does not refuse an IPv4 source: %v\n%s", err, out)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	named   = regexp.MustCompile("`([\\w./-]+\\.(?:go|lua|md|txtar))`|`(Test[A-Z]\\w+)`")
	invents = []string{"NAME", "family.go", "notify.go"} // files of the examples
)

// TestNames holds that each file and each test that the documents name is there: those for
// developers, and the one about attacks.
func TestNames(t *testing.T) {
	tests := testsOfTheTree(t)
	var files []string
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, ".."))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../ARCHITECTURE.md", "../CONTRIBUTING.md", "security.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			file, test := m[1], m[2]
			invented := slices.ContainsFunc(invents, func(part string) bool { return strings.Contains(file, part) })
			is := func(path string) bool { return strings.HasSuffix(path, "/"+file) }
			if file != "" && !invented && !slices.ContainsFunc(files, is) {
				t.Errorf("%s: there is no file %s", path, file)
			}
			if test != "" && !tests[test] {
				t.Errorf("%s: there is no test %s", path, test)
			}
		}
	}
}
