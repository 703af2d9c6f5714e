package scripting

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/spelling"
	"sesame/scripting/sandbox"
)

// A File is a script, a module, or what a script names outside, as it was read.
type File struct {
	Path   string // below the directory of the scripts, with slashes; of a file outside, absolute
	SHA256 [sha256.Size]byte
	Source []byte
	// OneTime says of a file outside that it has one-time sequences: a copy of it
	// is out of date when one of them is used.
	OneTime bool
}

// Outside reports whether it is no script, nor a module of one.
func (f File) Outside() bool { return filepath.IsAbs(f.Path) }

// A source is a file that compiled, with what its text tells.
type source struct {
	File
	program *sandbox.Program
	lines   []string
	facts   *facts
}

// sources holds each file of a set once, however many scripts require it.
type sources struct {
	fsys   fs.FS // nil once everything was read
	files  map[string]*source
	failed map[string]error
}

// read returns a file, which it reads the first time. Its error holds
// [*Problem]s.
func (s *sources) read(name string) (*source, error) {
	if known, ok := s.files[name]; ok {
		return known, nil
	}
	if err, ok := s.failed[name]; ok {
		return nil, err
	}
	file, err := s.compile(name)
	if err != nil {
		s.failed[name] = err
		return nil, err
	}
	s.files[name] = file
	return file, nil
}

func (s *sources) compile(name string) (*source, error) {
	text, err := s.text(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &Problem{File: name, Message: err.Error()}
	}
	program, err := sandbox.Compile(name, text)
	if err != nil {
		return nil, err
	}
	file := &source{
		File:    File{Path: name, SHA256: sha256.Sum256(text), Source: text},
		program: program,
		lines:   strings.Split(string(text), "\n"),
	}
	file.facts = findFacts(file, program.Chunk())
	return file, nil
}

func (s *sources) text(name string) ([]byte, error) {
	if s.fsys == nil {
		return nil, errors.New("it was not read when the set was loaded")
	}
	file, err := s.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	defer file.Close()
	return readAtMost(file, sandbox.MaxSource)
}

// require finds the module that a script names: "hours" is lib/hours.lua.
func (s *sources) require(name string) (*source, error) {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`) || strings.HasSuffix(name, ".lua") {
		return nil, fmt.Errorf(`require %q: expected the name of a module below lib, such as "hours" for lib/hours.lua`, name)
	}
	file, err := s.read(path.Join("lib", name) + ".lua")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("require %q: there is no lib/%s.lua%s", name, name, s.suggest(name))
	}
	return file, err
}

func (s *sources) suggest(name string) string {
	var known []string
	paths, err := fs.Glob(s.fsys, "lib/*.lua")
	if err != nil {
		return ""
	}
	for _, p := range paths {
		known = append(known, strings.TrimSuffix(path.Base(p), ".lua"))
	}
	if near := spelling.Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// at returns the place of an expression, looking for it in its line after a
// byte offset: the parser keeps lines alone.
func (s *source) at(expr ast.Expr, after int) Place {
	line := expr.Line()
	return Place{s.Path, line, s.column(line, wordOf(expr), after)}
}

// column finds a word in a line, after a byte offset. It falls back to where
// the text of the line begins.
func (s *source) column(line int, word string, after int) int {
	if line < 1 || line > len(s.lines) {
		return 0
	}
	text := s.lines[line-1]
	i, ok := s.find(line, word, after)
	switch {
	case !ok:
		return len(text) - len(strings.TrimLeft(text, " \t")) + 1
	case i > 0 && (text[i-1] == '"' || text[i-1] == '\''):
		return i
	}
	return i + 1
}

// find returns the byte offset of a word in a line, after another.
func (s *source) find(line int, word string, after int) (int, bool) {
	if line < 1 || line > len(s.lines) || word == "" {
		return 0, false
	}
	text := s.lines[line-1]
	for from := min(max(after, 0), len(text)); ; from++ {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return 0, false
		}
		if from += i; isolated(text, from, from+len(word)) {
			return from, true
		}
	}
}

// isolated reports whether text[start:end] is no part of a longer name.
func isolated(text string, start, end int) bool {
	return !(start > 0 && letter(text[start-1]) && letter(text[start])) &&
		!(end < len(text) && letter(text[end]) && letter(text[end-1]))
}

func letter(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// wordOf returns what an expression begins with in the text.
func wordOf(expr ast.Expr) string {
	switch n := expr.(type) {
	case *ast.StringExpr:
		return n.Value
	case *ast.NumberExpr:
		return n.Value
	case *ast.IdentExpr:
		return n.Value
	case *ast.AttrGetExpr:
		return wordOf(n.Object)
	case *ast.FuncCallExpr:
		if n.Func == nil {
			return wordOf(n.Receiver) + ":" + n.Method
		}
		return wordOf(n.Func)
	case *ast.TableExpr:
		return "{"
	case *ast.FunctionExpr:
		return "function"
	case *ast.TrueExpr:
		return "true"
	case *ast.FalseExpr:
		return "false"
	case *ast.NilExpr:
		return "nil"
	}
	return ""
}

func readAtMost(r io.Reader, bound int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(bound)+1))
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	if len(text) > bound {
		return nil, fmt.Errorf("it is longer than %d KiB, the longest script", bound>>10)
	}
	return text, nil
}
