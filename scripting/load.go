package scripting

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
)

// Options say how a script set is loaded. All may be zero.
type Options struct {
	// Dir is the name of the file system for messages.
	Dir string
	// Values are those of sesame.option, as people write them.
	Values map[string]string
	// Given says how messages name the places where values were given:
	// "sesame.toml:12". Those not in it come from --set.
	Given map[string]string
	// Outside reads a file that a script names by its path and that is no script: a
	// knockd.conf, or one-time sequences. It gets an absolute path, once. When it is
	// nil, naming one is a problem. [Files.Load] sets it.
	Outside func(path string) ([]byte, error)
	// Base is where relative paths of such files begin, an absolute path.
	// [Files.Load] sets it too.
	Base string
	// Print gets what scripts print while they load. What they print later is
	// a [engine.Log].
	Print func(Place, string)
}

// A Set is a loaded script set: what the engine needs, and what reports and lints
// tell about it. Only the goroutine that owns the engine may use Engine.
type Set struct {
	Engine *engine.Set
	Files  []File // scripts and the modules that they require, by path, and then what else they name

	Commands     []*Command
	Options      []OptionValue
	Allows       []AllowSite
	Suppressions []Suppression
	Traps        []Trap // of the knockd.confs

	scripts []*script
}

// Close frees the Lua states. The engine must have another set by then.
func (s *Set) Close() {
	for _, script := range s.scripts {
		script.state.Close()
	}
}

// Load reads the scripts of a directory: each *.lua of its top level, in the
// order of their names, except tests (*_test.lua) and names that begin with a
// dot. Modules are below lib, and read when a script requires them. Each file is
// read once. An error is of type [Problems], unless the directory cannot be
// read or has no scripts.
func Load(fsys fs.FS, opt Options) (*Set, error) {
	names, err := scriptNames(fsys, opt)
	if err != nil {
		return nil, err
	}
	return load(fsys, names, opt, map[string]*outsideFile{})
}

func scriptNames(fsys fs.FS, opt Options) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the scripts in %s: %w", opt.dir(), err)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, ".lua") && !strings.HasSuffix(name, "_test.lua") && !strings.HasPrefix(name, ".") && !entry.IsDir() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no scripts in %s: expected files that end in .lua at its top level", opt.dir())
	}
	return names, nil
}

// LoadFile reads one script. The modules that it requires are below lib in the
// same file system.
func LoadFile(fsys fs.FS, name string, opt Options) (*Set, error) {
	return load(fsys, []string{name}, opt, map[string]*outsideFile{})
}

func (o Options) dir() string {
	if o.Dir == "" {
		return "the directory"
	}
	return o.Dir
}

// given names where the value of an option comes from.
func (o Options) given(name string) string {
	if place, ok := o.Given[name]; ok {
		return place + ": " + name
	}
	return "--set " + name
}

// load loads scripts. What they name outside stands in named, by absolute path,
// also when they do not load.
func load(fsys fs.FS, names []string, opt Options, named map[string]*outsideFile) (*Set, error) {
	l := &loader{
		options: opt,
		sources: &sources{fsys: fsys, files: map[string]*source{}, failed: map[string]error{}},
		outside: &outside{base: opt.Base, read: opt.Outside, files: named, lines: map[string][]string{}},
		api:     API(),
		doors:   map[string]Place{},
		confs:   map[string]Place{},
		set:     &Set{Engine: &engine.Set{}},
	}
	for _, name := range names {
		l.load(name)
	}
	l.sources.fsys, l.outside.read = nil, nil
	l.check()
	if len(l.problems) > 0 {
		l.set.Close()
		return nil, l.problems.sorted()
	}
	l.describe()
	return l.set, nil
}

// A loader collects what the files of a set register, and all that is wrong.
type loader struct {
	options    Options
	sources    *sources
	outside    *outside
	api        []Object
	doors      map[string]Place
	confs      map[string]Place // knockd.confs, by absolute path
	set        *Set
	problems   Problems
	incomplete bool // a file did not run to its end
}

func (l *loader) load(name string) {
	file, err := l.sources.read(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	s := &script{
		source: file, sources: l.sources, outside: l.outside, api: l.api, doors: l.doors, confs: l.confs,
		options: l.options, print: l.options.Print,
	}
	registered, err := s.start()
	l.set.scripts = append(l.set.scripts, s)
	l.problems = append(l.problems, registered.problems...)
	if err != nil {
		l.fail(name, err)
	}
	s.learn(registered)
	l.add(registered)
}

// fail notes that a file did not load. The reason may be known already: a
// problem that also ended the file.
func (l *loader) fail(name string, err error) {
	l.incomplete = true
	for _, problem := range problemsOf(name, err) {
		known := slices.ContainsFunc(l.problems, func(p *Problem) bool {
			return p.File == problem.File && p.Line == problem.Line && p.Message == problem.Message
		})
		if !known {
			l.problems = append(l.problems, problem)
		}
	}
	for _, module := range slices.Sorted(maps.Keys(l.sources.failed)) {
		if module != name && !errors.Is(l.sources.failed[module], fs.ErrNotExist) {
			l.problems = append(l.problems, problemsOf(module, l.sources.failed[module])...)
		}
	}
}

// problemsOf takes an error of the sandbox apart.
func problemsOf(name string, err error) Problems {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems Problems
		for _, one := range joined.Unwrap() {
			problems = append(problems, problemsOf(name, one)...)
		}
		return problems
	}
	if problem, ok := errors.AsType[*Problem](err); ok && problem.File != "" {
		return Problems{problem}
	}
	return Problems{{File: name, Message: err.Error()}}
}

// add takes over what a file registered.
func (l *loader) add(r *registration) {
	for _, door := range together(r.doors) {
		place := Place{File: door.File, Line: door.Line}
		if first, ok := l.doors[door.Name]; ok {
			l.report(place, fmt.Sprintf("%s %q: %s", kindOfDoor(door), door.Name, taken(first, place)))
			continue
		}
		l.doors[door.Name] = place
		l.set.Engine.Doors = append(l.set.Engine.Doors, door)
	}
	l.set.Engine.Timers = append(l.set.Engine.Timers, r.timers...)
	// What a module declares, each script that requires it declares again.
	maps.Copy(l.confs, r.confs)
	l.set.Commands = appendNew(l.set.Commands, r.commands, func(c *Command) Place { return c.Place })
	l.set.Traps = append(l.set.Traps, r.traps...)
	l.set.Options = appendNew(l.set.Options, r.options, func(o OptionValue) Place { return o.Place })
}

// appendNew appends to a list what it does not have yet. Two of the same are at the
// same place; a knockd.conf may have very many.
func appendNew[T any](list, more []T, place func(T) Place) []T {
	known := map[Place][]T{}
	for _, one := range list {
		known[place(one)] = append(known[place(one)], one)
	}
	for _, one := range more {
		there := known[place(one)]
		if !slices.ContainsFunc(there, func(other T) bool { return reflect.DeepEqual(other, one) }) {
			list, known[place(one)] = append(list, one), append(there, one)
		}
	}
	return list
}

// taken says why a door cannot have a name.
func taken(first, again Place) string {
	if first == again {
		return fmt.Sprintf("more than one script requires %s, and each would have this door: register it in one of them", again.File)
	}
	return fmt.Sprintf("the name is taken by the one at %s: choose another", first)
}

func kindOfDoor(d *engine.Door) string {
	switch {
	case d.Listen:
		return "sesame.listen"
	case InConf(d):
		return "the section"
	}
	return "sesame.door"
}

// report notes a problem that shows when files are seen together.
func (l *loader) report(at Place, message string) {
	var r registration
	file := l.sources.files[at.File]
	if file == nil && filepath.IsAbs(at.File) {
		l.problems = append(l.problems, l.outside.problem(at, message))
		return
	}
	if at.Column == 0 && file != nil {
		at.Column = file.column(at.Line, "sesame", 0)
	}
	r.report(file, at, message)
	l.problems = append(l.problems, r.problems...)
}

// check looks at the set as a whole. What a file that failed would have declared
// is not known, so then nothing is said to be missing.
func (l *loader) check() {
	if l.incomplete || len(l.problems) > 0 {
		return
	}
	names := slices.Sorted(maps.Keys(l.doors))
	for _, path := range slices.Sorted(maps.Keys(l.sources.files)) {
		for _, site := range l.sources.files[path].facts.closes {
			if _, ok := l.doors[site.Target]; !ok && site.Target != "" {
				l.report(site.Place, fmt.Sprintf("close: there is no door %q%s", site.Target, spelling.DidYouMean(site.Target, names)))
			}
		}
	}
	for _, s := range l.set.scripts {
		l.checkAllows(s)
	}
	var options []string
	for _, o := range l.set.Options {
		options = append(options, o.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.options.Values)) {
		if !slices.Contains(options, name) {
			message := fmt.Sprintf("%s: no script declares the option %q%s", l.options.given(name), name, spelling.DidYouMean(name, options))
			l.problems = append(l.problems, &Problem{Message: message})
		}
	}
}

// checkAllows finds what would fail whenever it is called.
func (l *loader) checkAllows(s *script) {
	for _, door := range l.set.Engine.Doors {
		if door.Script != s.source.Path || len(door.Guards) > 0 {
			continue
		}
		for _, site := range s.allows {
			if site.Door == door.Name && site.Literal && len(site.Ports) == 0 {
				l.report(site.Place, fmt.Sprintf(`allow names no port, and door %q guards none: write allow { port = "tcp/22" }, or give the door its guards`, door.Name))
			}
		}
	}
}

// describe completes a set that is right with what its files tell.
func (l *loader) describe() {
	for _, path := range slices.Sorted(maps.Keys(l.sources.files)) {
		file := l.sources.files[path]
		l.set.Files = append(l.set.Files, file.File)
		l.set.Allows = append(l.set.Allows, file.facts.allows...)
		l.set.Suppressions = append(l.set.Suppressions, suppressions(path, file.lines)...)
	}
	for _, path := range slices.Sorted(maps.Keys(l.outside.files)) {
		file := l.outside.files[path]
		l.set.Files = append(l.set.Files, file.File)
		l.set.Suppressions = append(l.set.Suppressions, confSuppressions(path, file.Source)...)
		if file.OneTime {
			l.set.Traps = append(l.set.Traps, oneTimeTraps(path, file.Source)...)
		}
	}
}
