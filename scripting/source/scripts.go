package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/yuin/gopher-lua/ast"

	"sesame/daemon/spelling"
	"sesame/scripting/sandbox"
)

// A Script is a script or a module that compiled, with what its text tells.
type Script struct {
	File
	Program *sandbox.Program
	Lines   []string // none for a module of data, of which no message tells
	Allows  []AllowSite
	Closes  []CloseSite
	Zones   []ZoneSite
	Asks    []AskSite
	Denials []DenialSite
	Values  []ValueSite
	calls   map[int][]Call  // by line
	texts   map[string]bool // the strings, without those that are arguments of methods
	chunk   []ast.Stmt
}

// Chunk returns the syntax tree of the text, which nobody changes; none for a module of data.
func (s *Script) Chunk() []ast.Stmt { return s.chunk }

// Call returns the call of a kind in a line, with a name if the kind has names.
// It is nil when there are none or several: a wrong place in a message is worse
// than none.
func (s *Script) Call(line int, kind, name string) *Call {
	var found *Call
	for i := range s.calls[line] {
		c := &s.calls[line][i]
		if c.kind == kind && (c.name == "" || c.name == name) {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

// Calls returns how many calls are in a line: so many [Script.Call] and [Script.Unnamed] look at.
func (s *Script) Calls(line int) int { return len(s.calls[line]) }

// May reports whether the text may register a name with a call of one of these kinds, in whatever
// branch: a call has the name, or computes it or reads it from a knockd.conf, or the name
// stands somewhere else than as what a method is called with.
func (s *Script) May(name string, kinds ...string) bool {
	if s.Program.IsData() && bytes.Contains(s.Source, []byte(name)) {
		return true
	}
	if s.texts[name] {
		return true
	}
	for _, calls := range s.calls {
		if slices.ContainsFunc(calls, func(c Call) bool {
			return slices.Contains(kinds, c.kind) && (c.name == "" || c.name == name || c.kind == "knockd")
		}) {
			return true
		}
	}
	return false
}

// Unnamed returns how many calls of a kind are in a line, without those whose
// table has a name.
func (s *Script) Unnamed(line int, kind string) int {
	n := 0
	for _, c := range s.calls[line] {
		if c.kind == kind && !c.hasName() {
			n++
		}
	}
	return n
}

// Scripts compile the files of one set, each once, however many scripts require
// it. They read nothing after [Scripts.Close].
type Scripts struct {
	files  *Files
	closed bool
	loaded map[string]*Script
	failed map[string]error
	zones  map[string]*time.Location // that scripts named so far
	budget *sandbox.Budget           // of all files, compiling them included
}

// Scripts begins to load the files. Only one set at a time can be loaded from
// them.
func (f *Files) Scripts() *Scripts {
	for _, file := range f.referenced {
		file.named = false
	}
	return &Scripts{files: f, loaded: map[string]*Script{}, failed: map[string]error{}, zones: map[string]*time.Location{},
		budget: sandbox.NewBudget(sandbox.LoadSteps)}
}

// Budget returns what the files that are loaded may use together.
func (s *Scripts) Budget() *sandbox.Budget { return s.budget }

// Renew gives the files that come a budget of their own.
func (s *Scripts) Renew() { s.budget = sandbox.NewBudget(sandbox.LoadSteps) }

// Close ends the loading. From then on the files have no referenced file that
// was not named.
func (s *Scripts) Close() {
	s.closed = true
	maps.DeleteFunc(s.files.referenced, func(_ string, file *ReferencedFile) bool { return !file.named })
	s.files.hash()
}

// Load compiles a script or module, the first time that it is requested. Its
// error holds [*Problem]s.
func (s *Scripts) Load(name string) (*Script, error) {
	if script, err := s.loaded[name], s.failed[name]; script != nil || err != nil {
		return script, err
	}
	script, err := s.compile(name)
	if err != nil {
		s.failed[name] = err
		return nil, err
	}
	s.loaded[name] = script
	return script, nil
}

func (s *Scripts) compile(name string) (*Script, error) {
	if s.closed {
		return nil, &Problem{File: name, Message: "it was not read when the set was loaded"}
	}
	text, err := s.files.text(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, &Problem{File: name, Message: err.Error()}
	}
	return s.files.compiled.script(name, text, s.budget)
}

// Require compiles the module that a script names: "hours" is lib/hours.lua.
func (s *Scripts) Require(name string) (*Script, error) {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, `\:`) || strings.HasSuffix(name, ".lua") {
		return nil, fmt.Errorf(`require %q: expected the name of a module below lib, such as "hours" for lib/hours.lua%s`, name, s.asModule(name))
	}
	script, err := s.Load(path.Join("lib", name) + ".lua")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("require %q: there is no lib/%s.lua%s", name, name, cmp.Or(s.suggest(name), s.asModule(name), ": only modules below lib exist, and none of Lua's libraries"))
	}
	return script, err
}

// asModule returns what to write for the name of a module that is written as in
// other programs, when there is such a module; else "".
func (s *Scripts) asModule(name string) string {
	name = strings.TrimSuffix(strings.ReplaceAll(name, "\\", "/"), ".lua")
	for _, other := range []string{name, strings.ReplaceAll(name, ".", "/")} {
		other = strings.TrimPrefix(strings.TrimPrefix(other, "./"), "lib/")
		if _, there := s.files.texts["lib/"+other+".lua"]; there {
			return fmt.Sprintf(": write require %q", other)
		}
	}
	return ""
}

func (s *Scripts) suggest(name string) string {
	var known []string
	for file := range s.files.texts {
		if dir, base := path.Split(file); dir == "lib/" {
			known = append(known, strings.TrimSuffix(base, ".lua"))
		}
	}
	slices.Sort(known)
	if near := spelling.Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// Find returns a script or module that was compiled; nil when there is none
// with that path.
func (s *Scripts) Find(path string) *Script { return s.loaded[path] }

// All returns the scripts and modules that were compiled, by path.
func (s *Scripts) All() []*Script {
	all := make([]*Script, 0, len(s.loaded))
	for _, path := range slices.Sorted(maps.Keys(s.loaded)) {
		all = append(all, s.loaded[path])
	}
	return all
}

// Referenced returns the referenced files that scripts named, by path.
func (s *Scripts) Referenced() []*ReferencedFile {
	var named []*ReferencedFile
	for _, path := range s.files.Referenced() {
		if file := s.files.referenced[path]; file.named {
			named = append(named, file)
		}
	}
	return named
}

// referenced counts the referenced files that scripts named, without zone files.
func (s *Scripts) referenced() int {
	n := 0
	for _, file := range s.files.referenced {
		if file.named && !file.Zone {
			n++
		}
	}
	return n
}

// Failed returns the problems of all files that did not compile, by path,
// without those that are not there.
func (s *Scripts) Failed() Problems {
	var problems Problems
	for _, name := range slices.Sorted(maps.Keys(s.failed)) {
		if err := s.failed[name]; !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, ProblemsOf(name, err)...)
		}
	}
	return problems
}

// Problem returns a problem at a place, with the line of the file that is
// there.
func (s *Scripts) Problem(at Place, message string) *Problem {
	problem := &Problem{File: at.File, Line: at.Line, Column: at.Column, Message: spelling.Shortened(message, maxMessage)}
	if at.Line < 1 {
		return problem
	}
	line := ""
	if script := s.loaded[at.File]; script != nil && at.Line <= len(script.Lines) {
		line = script.Lines[at.Line-1]
	} else if file := s.files.referenced[at.File]; file != nil {
		line = file.line(at.Line)
	}
	problem.Quote(strings.TrimRight(line, "\r"))
	return problem
}

// maxMessage bounds the message of a problem, in bytes: it may quote what a script made.
const maxMessage = 4096
