package daemon_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 80
	maxColumns       = 100 // of prose: comments and Markdown
)

// A source is one parsed file.
type source struct {
	path string // below the root of the module
	set  *token.FileSet
	file *ast.File
	code map[int]bool // the lines that have more than a comment
	// bubbles holds the functions of the package that run a function in a bubble of
	// testing/synctest.
	bubbles map[string]bool
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

// laws hold for each file. Each returns what breaks it.
var laws = []func(source) []string{clock, timed, size, names, hidden, compiled, comments}

func TestStyle(t *testing.T) {
	sources := parseModule(t, "..")
	if len(sources) < 10 {
		t.Fatalf("found %d Go files: expected the whole module", len(sources))
	}
	for _, s := range sources {
		for _, law := range laws {
			for _, breach := range law(s) {
				t.Error(breach)
			}
		}
	}
	for _, breach := range undocumented(sources) {
		t.Error(breach)
	}
	for path, text := range markdown(t, "..") {
		for _, breach := range wide(path, text) {
			t.Error(breach)
		}
	}
}

const measuredBreach = "a test compares a measured duration: count the work, compare growth, or use testing/synctest"

func TestStyleIsHeld(t *testing.T) {
	for _, tt := range []struct{ name, path, text, want string }{
		{"a clock read", "a/a.go", "package a\nimport \"time\"\nvar t = time.Now()", "a/a.go:3: time.Now: only a file called clock.go reads the clock; take the time as an argument"},
		{"a clock under another name", "a/a.go", "package a\nimport t \"time\"\nvar x = t.Since(t.Time{})", "a/a.go:3: time.Since: only a file called clock.go reads the clock; take the time as an argument"},
		{"a clock passed on", "a/a.go", "package a\nimport \"time\"\nvar now = time.Now", "a/a.go:3: time.Now: only a file called clock.go reads the clock; take the time as an argument"},
		{"a pattern of the package", "a/a.go", "package a\nimport \"regexp\"\nvar x = regexp.MustCompile(``)", "a/a.go:3: a pattern is compiled when it is needed: sync.OnceValue"},
		{"a pattern when it is needed", "a/a.go", "package a\nimport \"regexp\"\nvar x = f(func() any { return regexp.MustCompile(``) })", ""},
		{"a clock where it belongs", "a/clock.go", "package a\nimport \"time\"\nvar t = time.Now()", ""},
		{"a test that sleeps", "a/a_test.go", "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }", "a/a_test.go:3: time.Sleep: a test that sleeps is slow on one machine and wrong on another"},
		{"a measured call", "a/a_test.go", "package a\nfunc f() {\n_ = time.Since(x) > d }", "a/a_test.go:3: " + measuredBreach},
		{"a measured call in a sum", "a/a_test.go", "package a\nfunc f() {\n_ = time.Second < (time.Since(x) - y) }", "a/a_test.go:3: " + measuredBreach},
		{"a variable of that name", "a/a_test.go", "package a\nfunc f(took time.Duration) {\n_ = took > 5*time.Second }", "a/a_test.go:3: " + measuredBreach},
		{"a variable that was measured", "a/a_test.go", "package a\nfunc f() { d := time.Since(x)\n_ = d < bound }", "a/a_test.go:3: " + measuredBreach},
		{"a difference of two times", "a/a_test.go", "package a\nfunc f() { began := time.Now(); w()\nif n := time.Now().Sub(began); n.Seconds() > 1 {\n}\nif end().Sub(began) >= d {\n} }",
			"a/a_test.go:3: " + measuredBreach + "\na/a_test.go:5: " + measuredBreach},
		{"a field that holds the begin", "a/a_test.go", "package a\nfunc f() { h := host{began: time.Now()}\n_ = end.Sub(h.began) != 0 }", "a/a_test.go:3: " + measuredBreach},
		{"what a benchmark knows", "a/a_test.go", "package a\nfunc TestX(t *testing.T) {\n_ = b.Elapsed() > d }", "a/a_test.go:3: " + measuredBreach},
		{"a difference of times of packets", "a/a_test.go", "package a\nfunc f() { _ = p.Time.Sub(start) > d }", ""},
		{"a deadline of a loop", "a/a_test.go", "package a\nfunc f() { for began := time.Now(); time.Since(began) < patience; { } }", ""},
		{"virtual time", "a/a_test.go", "package a\nfunc f() { synctest.Test(t, func(t *testing.T) { _ = time.Since(x) != d }) }", ""},
		{"virtual time of a helper", "a/a_test.go", "package a\nfunc bubble(f func(*testing.T)) { synctest.Test(t, f) }\nfunc TestX(t *testing.T) { bubble(func(t *testing.T) { _ = time.Since(x) != d }) }", ""},
		{"a benchmark", "a/a_test.go", "package a\nfunc BenchmarkX(b *testing.B) { _ = time.Since(x) > d }", ""},
		{"a file of benchmarks", "a/bench_live_test.go", "package a\nfunc f() { _ = time.Since(x) > d }", ""},
		{"a measure of the product", "a/clock.go", "package a\nfunc f() { _ = time.Since(x) > d }", ""},
		{"something else of the package", "a/a.go", "package a\nimport \"time\"\nvar t = time.Second", ""},
		{"a long file", "a/a.go", "package a\n" + strings.Repeat("\n", 400), "a/a.go: 401 lines: at most 400, one concern each"},
		{"a long test", "a/a_test.go", "package a\n" + strings.Repeat("\n", 400), ""},
		{"a long function", "a/a.go", "package a\nfunc f() {" + strings.Repeat("\n", 80) + "}", "a/a.go:2: f has 81 lines: at most 80"},
		{"a drawer", "a/helpers/a.go", "package helpers", "a/helpers/a.go: package helpers: name it after what it holds"},
		{"a comment of 101 columns", "a/a.go", "package a\n\n// " + strings.Repeat("x ", 49), "a/a.go:3: a comment of 101 columns: at most 100"},
		{"a comment of 100 columns", "a/a.go", "package a\n\n// " + strings.Repeat("x ", 48) + "x", ""},
		{"a comment behind code", "a/a.go", "package a\n\nvar x = 0 // " + strings.Repeat("x ", 49), ""},
		{"an example in a comment", "a/a.go", "package a\n\n//\t" + strings.Repeat("x ", 49), ""},
		{"a directive", "a/a.go", "package a\n\n//go:generate " + strings.Repeat("x ", 49), ""},
		{"an effect of importing", "a/a.go", "package a\nfunc init() {}", "a/a.go:2: init: importing a package does nothing"},
		{"a context kept", "a/a.go", "package a\nimport \"context\"\ntype s struct{ ctx context.Context }", "a/a.go:3: a context is an argument, never a field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, law := range laws {
				got = append(got, law(parse(t, tt.path, tt.text))...)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarkdownIsHeld(t *testing.T) {
	long := strings.Repeat("word ", 20) + "x" // 101 columns
	for _, tt := range []struct{ name, text, want string }{
		{"prose", "a\n" + long + "\n", "a.md:2: 101 columns of prose: at most 100"},
		{"prose that fits", long[:100], ""},
		{"other letters than ASCII", strings.Repeat("ä", 100), ""},
		{"a list", "- " + long, "a.md:1: 103 columns of prose: at most 100"},
		{"a code block", "```sh\n" + long + "\n```\n" + long, "a.md:4: 101 columns of prose: at most 100"},
		{"a code block of tildes in a list", "- x\n  ~~~\n  ```\n" + long + "\n  ~~~\n", ""},
		{"an indented code block", "    " + long, ""},
		{"a table", "| " + long + " |", ""},
		{"a link that cannot be broken", "- [text](https://example.org/" + strings.Repeat("x", 80) + ") " + "x", ""},
		{"words beside a link", "[text](https://example.org/) " + long, "a.md:1: 130 columns of prose: at most 100"},
		{"HTML", "<img src=\"" + long + "\">", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, strings.Join(wide("a.md", tt.text), "\n")); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPackageDocsAreHeld(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"one that says what it turns into what", map[string]string{"a/a.go": "// Package a turns b\n// into c.\npackage a", "a/b.go": "package a"}, nil},
		{"none", map[string]string{"a/a.go": "package a"}, []string{"a: 0 package comments: expected one"}},
		{"two", map[string]string{"a/a.go": "// Package a turns b into c.\npackage a", "a/b.go": "// Package a turns c into d.\npackage a"},
			[]string{"a: 2 package comments: expected one"}},
		{"one that says less", map[string]string{"a/a.go": "// Package a implements b.\npackage a"}, []string{`a: the package comment begins "Package a implements": expected "Package a turns"`}},
		{"a command", map[string]string{"cmd/x/a.go": "// Command x does.\npackage main"}, nil},
		{"a command without name", map[string]string{"cmd/x/a.go": "// This does.\npackage main"}, []string{`cmd/x: the package comment begins "This does.": expected "Command x"`}},
		{"tests alone", map[string]string{"a/a_test.go": "package a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sources []source
			for path, text := range tt.files {
				sources = append(sources, parse(t, path, text))
			}
			if diff := cmp.Diff(tt.want, undocumented(sources)); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// clock finds uses of the clock outside files called clock.go, and sleeping tests.
func clock(s source) (found []string) {
	alias := ""
	for _, imported := range s.file.Imports {
		if imported.Path.Value == `"time"` {
			if alias = "time"; imported.Name != nil {
				alias = imported.Name.Name
			}
		}
	}
	forbidden := []string{"Now", "After", "AfterFunc", "NewTicker", "NewTimer", "Since", "Sleep", "Tick", "Until"}
	why := "only a file called clock.go reads the clock; take the time as an argument"
	if s.test() {
		forbidden, why = []string{"Sleep"}, "a test that sleeps is slow on one machine and wrong on another"
	} else if filepath.Base(s.path) == "clock.go" {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if ok && alias != "" && x.Name == alias && slices.Contains(forbidden, selector.Sel.Name) {
			found = append(found, fmt.Sprintf("%s:%d: time.%s: %s", s.path, s.line(n.Pos()), selector.Sel.Name, why))
		}
		return true
	})
	return found
}

// timed finds tests that compare a measured duration of real work with a bound. Such a test fails
// on a busy machine. The loop condition of a deadline is no such comparison, benchmarks measure and
// do not judge, and in a bubble of testing/synctest time is virtual, so a comparison there is
// exact.
func timed(s source) (found []string) {
	if !s.test() || strings.Contains(filepath.Base(s.path), "bench") {
		return nil
	}
	began := assigned(s.file, func(e ast.Expr) bool { return calls(e, "time", "Now") })
	measured := func(e ast.Expr) bool { return measures(e, began) }
	took := assigned(s.file, measured)
	took["took"], took["elapsed"] = true, true // also when another function measures them
	allowed := map[ast.Node]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return !strings.HasPrefix(n.Name.Name, "Benchmark")
		case *ast.CallExpr:
			return !calls(n, "synctest", "Test") && !s.bubbles[lastName(n.Fun)]
		case *ast.ForStmt:
			allowed[n.Cond] = true
		case *ast.BinaryExpr:
			operand := func(e ast.Expr) bool { return measured(e) || took[lastName(bare(e))] }
			if comparisons[n.Op] && !allowed[n] && (operand(n.X) || operand(n.Y)) {
				found = append(found, fmt.Sprintf("%s:%d: %s", s.path, s.line(n.Pos()), measuredBreach))
			}
		}
		return true
	})
	return found
}

var comparisons = map[token.Token]bool{token.LSS: true, token.LEQ: true, token.GTR: true, token.GEQ: true, token.EQL: true, token.NEQ: true}

// measures reports whether an expression is the time since another one: time.Since, b.Elapsed(), or
// the difference from a time that is now or has been read from the clock in this file.
func measures(e ast.Expr, began map[string]bool) bool {
	switch e := bare(e).(type) {
	case *ast.BinaryExpr: // arithmetic such as time.Since(x) - y
		return !comparisons[e.Op] && (measures(e.X, began) || measures(e.Y, began))
	case *ast.CallExpr:
		selector, ok := e.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
			return false
		case calls(e, "time", "Since"), calls(e, "time", "Until"), selector.Sel.Name == "Elapsed":
			return true
		case selector.Sel.Name == "Sub" && len(e.Args) == 1:
			return began[lastName(selector.X)] || began[lastName(e.Args[0])] || calls(selector.X, "time", "Now")
		}
	}
	return false
}

// bare returns a duration without brackets and without conversions such as d.Seconds().
func bare(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return bare(e.X)
	case *ast.CallExpr:
		selector, ok := e.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains([]string{"Abs", "Round", "Truncate", "Seconds", "Milliseconds", "Microseconds", "Nanoseconds"}, selector.Sel.Name) {
			return bare(selector.X)
		}
	}
	return e
}

// calls reports whether an expression is a call of a function of a package, such as time.Now().
func calls(e ast.Expr, pkg, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	return ok && selector.Sel.Name == name && lastName(selector.X) == pkg
}

// lastName returns the name of a variable or field, "began" for h.began.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// assigned returns the names of the variables and fields of a file that get a value of some kind.
func assigned(file *ast.File, kind func(ast.Expr) bool) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, value := range n.Rhs {
				if len(n.Lhs) == len(n.Rhs) && kind(value) {
					names[lastName(n.Lhs[i])] = true
				}
			}
		case *ast.ValueSpec:
			for i, value := range n.Values {
				if len(n.Names) == len(n.Values) && kind(value) {
					names[n.Names[i].Name] = true
				}
			}
		case *ast.KeyValueExpr:
			if kind(n.Value) {
				names[lastName(n.Key)] = true
			}
		}
		return true
	})
	delete(names, "_")
	delete(names, "")
	return names
}

// size finds long files and long functions; tests may be as long as their story.
func size(s source) (found []string) {
	if s.test() {
		return nil
	}
	if lines := s.set.File(s.file.FileStart).LineCount(); lines > maxFileLines {
		found = append(found, fmt.Sprintf("%s: %d lines: at most %d, one concern each", s.path, lines, maxFileLines))
	}
	for _, declaration := range s.file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if lines := s.line(f.End()) - s.line(f.Pos()) + 1; lines > maxFunctionLines {
			found = append(found, fmt.Sprintf("%s:%d: %s has %d lines: at most %d", s.path, s.line(f.Pos()), f.Name.Name, lines, maxFunctionLines))
		}
	}
	return found
}

// names finds packages that are called after nothing.
func names(s source) []string {
	name := strings.TrimSuffix(s.file.Name.Name, "_test")
	if slices.Contains([]string{"common", "helper", "helpers", "misc", "shared", "util", "utils"}, name) {
		return []string{fmt.Sprintf("%s: package %s: name it after what it holds", s.path, name)}
	}
	return nil
}

// hidden finds what a caller cannot see: work done by importing, and contexts
// kept in a struct.
func hidden(s source) (found []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil && s.file.Name.Name != "main" { // nobody imports main
				found = append(found, fmt.Sprintf("%s:%d: init: importing a package does nothing", s.path, s.line(n.Pos())))
			}
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if selector, ok := field.Type.(*ast.SelectorExpr); ok && fmt.Sprint(selector.X, selector.Sel) == "context Context" {
					found = append(found, fmt.Sprintf("%s:%d: a context is an argument, never a field", s.path, s.line(field.Pos())))
				}
			}
		}
		return true
	})
	return found
}

// compiled finds patterns that are compiled at each start of the program, whoever needs them. They
// were a tenth of the start of a short command.
func compiled(s source) (found []string) {
	if s.test() || !strings.HasPrefix(s.path, "daemon/") && !strings.HasPrefix(s.path, "scripting/") && !strings.HasPrefix(s.path, "a/") {
		return nil
	}
	for _, declaration := range s.file.Decls {
		if _, variables := declaration.(*ast.GenDecl); !variables {
			continue
		}
		ast.Inspect(declaration, func(n ast.Node) bool {
			if _, later := n.(*ast.FuncLit); later {
				return false
			}
			if selector, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(selector.X, selector.Sel) == "regexp MustCompile" {
				found = append(found, fmt.Sprintf("%s:%d: a pattern is compiled when it is needed: sync.OnceValue", s.path, s.line(n.Pos())))
			}
			return true
		})
	}
	return found
}

// comments finds comments that are wider than prose may be. A line of code with a comment behind
// it, an example in a comment, and a directive of the compiler may be wider.
func comments(s source) (found []string) {
	for _, group := range s.file.Comments {
		for _, comment := range group.List {
			position := s.set.Position(comment.Pos())
			text := comment.Text
			if strings.HasPrefix(text, "//\t") || !strings.HasPrefix(text, "// ") || s.code[position.Line] {
				continue
			}
			// Editors show a tab of the indentation as four columns.
			if columns := 4*(position.Column-1) + utf8.RuneCountInString(text); columns > maxColumns {
				found = append(found, fmt.Sprintf("%s:%d: a comment of %d columns: at most %d", s.path, position.Line, columns, maxColumns))
			}
		}
	}
	return found
}

// wide finds lines of prose in Markdown that have too many columns. Code blocks, tables, HTML and
// lines that are wide for the sake of one link are no prose.
func wide(path, text string) (found []string) {
	fence, number := "", 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		if mark := trimmed[:min(3, len(trimmed))]; mark == "```" || mark == "~~~" {
			if fence == "" {
				fence = mark
			} else if fence == mark {
				fence = ""
			}
			continue
		}
		if fence != "" || strings.HasPrefix(line, "    ") || strings.HasPrefix(trimmed, "|") || strings.HasPrefix(trimmed, "<") {
			continue
		}
		columns := utf8.RuneCountInString(line)
		longest := 0
		for word := range strings.FieldsSeq(line) {
			if strings.Contains(word, "](") || strings.Contains(word, "://") {
				longest = max(longest, utf8.RuneCountInString(word))
			}
		}
		// A link that is longer than most of a line stands on a line of its own, with its
		// neighbours.
		if columns > maxColumns && longest < maxColumns*3/4 {
			found = append(found, fmt.Sprintf("%s:%d: %d columns of prose: at most %d", path, number, columns, maxColumns))
		}
	}
	return found
}

// markdown returns the text of each Markdown file of the module, and of the templates of such
// files.
func markdown(t *testing.T, root string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	walk(t, root, func(path string) {
		if name := strings.TrimSuffix(path, ".tmpl"); filepath.Ext(name) == ".md" {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(path, "../")] = string(text)
		}
	})
	if len(texts) < 5 {
		t.Fatalf("found %d Markdown files: expected those of docs and more", len(texts))
	}
	return texts
}

// undocumented finds packages without the one comment that describes what they turn
// into what.
func undocumented(sources []source) (found []string) {
	comments := map[string][]string{}
	begin := map[string]string{}
	for _, s := range sources {
		if s.test() {
			continue
		}
		dir := filepath.Dir(s.path)
		begin[dir] = "Package " + s.file.Name.Name + " turns"
		if s.file.Name.Name == "main" {
			begin[dir] = "Command " + filepath.Base(dir)
		}
		if s.file.Doc != nil {
			comments[dir] = append(comments[dir], strings.Join(strings.Fields(s.file.Doc.Text()), " "))
		}
	}
	for dir, want := range begin {
		if n := len(comments[dir]); n != 1 {
			found = append(found, fmt.Sprintf("%s: %d package comments: expected one", dir, n))
		} else if words := strings.Fields(comments[dir][0]); !strings.HasPrefix(comments[dir][0], want+" ") {
			begins := strings.Join(words[:min(len(words), len(strings.Fields(want)))], " ")
			found = append(found, fmt.Sprintf("%s: the package comment begins %q: expected %q", dir, begins, want))
		}
	}
	slices.Sort(found)
	return found
}

func parseModule(t *testing.T, root string) (sources []source) {
	t.Helper()
	walk(t, root, func(path string) {
		if filepath.Ext(path) == ".go" {
			sources = append(sources, parse(t, path, nil))
		}
	})
	packages := map[string]map[string]bool{}
	for i, s := range sources {
		dir := filepath.Dir(s.path)
		if packages[dir] == nil {
			packages[dir] = map[string]bool{}
		}
		maps.Copy(packages[dir], s.bubbles)
		sources[i].bubbles = packages[dir]
	}
	return sources
}

// walk calls visit with the path of each file below root, except in hidden directories and
// testdata.
func walk(t *testing.T, root string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			visit(path)
		case path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walking the module: %v", err)
	}
}

// bubbles returns the functions of a file that hand a parameter to synctest.Test.
func bubbles(file *ast.File) map[string]bool {
	found := map[string]bool{}
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && calls(call, "synctest", "Test") && len(call.Args) == 2 && lastName(call.Args[1]) != "" {
				found[f.Name.Name] = true
			}
			return true
		})
	}
	return found
}

// parse reads text, or the file at path when text is nil.
func parse(t *testing.T, path string, text any) source {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("parsing %s: %v", path, err)
	}
	return source{path: strings.TrimPrefix(path, "../"), set: set, file: file, code: codeLines(set, file), bubbles: bubbles(file)}
}

// codeLines returns the lines on which something other than a comment begins or ends.
func codeLines(set *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup, *ast.File:
		default:
			lines[set.Position(n.Pos()).Line] = true
			lines[set.Position(n.End()-1).Line] = true
		}
		return true
	})
	return lines
}
