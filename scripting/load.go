package scripting

import (
	"fmt"
	"maps"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/mistake"
	"sesame/scripting/source"
)

// Load makes a script set of the files. Afterwards files holds only the
// referenced files that the set names, also when the set does not load. An error
// is of type [source.Problems], unless there are no scripts.
func Load(files *source.Files, opt Options) (*Set, error) { return load(files, opt, API()) }

func load(files *source.Files, opt Options, api []Object) (*Set, error) {
	scripts := files.Scripts()
	defer scripts.Close()
	names, err := files.Names()
	if err != nil {
		return nil, err
	}
	l := &loader{
		options:  opt,
		scripts:  scripts,
		api:      api,
		doors:    map[string]source.Place{},
		confs:    map[string]source.Place{},
		set:      &Set{Engine: &engine.Set{}},
		commands: map[string]bool{}, optionValues: map[OptionValue]bool{},
	}
	for _, name := range names {
		if l.load(name); scripts.Budget().Spent() { // what comes then would fail for the same reason
			break
		}
	}
	l.check()
	l.mistakes()
	if len(l.problems) > 0 {
		l.set.Close()
		return nil, l.problems.Sorted()
	}
	l.describe()
	l.describeCode()
	return l.set, nil
}

// A loader collects the registrations and the problems of all files of a set. A
// file that fails does not stop the others, so that all problems are reported
// at once.
type loader struct {
	options      Options
	scripts      *source.Scripts
	api          []Object
	doors        map[string]source.Place
	confs        map[string]source.Place // knockd.confs, by absolute path
	set          *Set
	mentions     []mention
	problems     source.Problems
	commands     map[string]bool // of the set, by all that they are
	optionValues map[OptionValue]bool
	incomplete   bool // a file did not run to its end
}

func (l *loader) load(name string) {
	file, err := l.scripts.Load(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	s := &script{
		source: file, scripts: l.scripts, api: l.api, doors: l.doors, confs: l.confs, options: l.options,
		read: map[fileKey]any{},
	}
	registered, err := s.start()
	l.set.scripts = append(l.set.scripts, s)
	l.problems.Add(registered.problems...)
	if err != nil {
		err = registered.during(err)
		l.fail(name, err)
	}
	s.learn(registered)
	s.take(registered)
	l.add(registered)
}

// fail notes the problems of a file that did not run to its end. A problem that
// was reported and then raised is noted once.
func (l *loader) fail(name string, err error) {
	l.incomplete = true
	l.problems.Add(source.ProblemsOf(name, err)...)
	l.problems.Add(l.scripts.Failed()...)
}

// add adds the registrations of a file to the set. The doors of two files
// cannot have the same name.
func (l *loader) add(r *registration) {
	for _, door := range together(r.doors) {
		place := source.Place{File: door.File, Line: door.Line}
		if first, ok := l.doors[door.Name]; ok {
			l.report(place, fmt.Sprintf("%s %q: %s", kindOfDoor(door), door.Name, l.taken(door, first)))
			continue
		}
		l.doors[door.Name] = place
		l.set.Engine.Doors = append(l.set.Engine.Doors, door)
	}
	l.set.Engine.Timers = append(l.set.Engine.Timers, r.timers...)
	// A module runs once for each script that requires it, and declares the
	// same each time.
	maps.Copy(l.confs, r.confs)
	l.set.Commands = appendNew(l.commands, l.set.Commands, r.commands, (*Command).identity)
	l.set.Warnings = append(l.set.Warnings, r.warnings...)
	l.mentions = append(l.mentions, r.mentions...)
	l.set.Hosts = append(l.set.Hosts, r.hosts...)
	l.set.Windows = l.set.Windows || r.windows
	l.set.Options = appendNew(l.optionValues, l.set.Options, r.options, func(o OptionValue) OptionValue { return o })
}

// appendNew appends the elements that a list does not have yet. Elements with the same key are the
// same.
func appendNew[T any, K comparable](known map[K]bool, list, more []T, key func(T) K) []T {
	for _, one := range more {
		if k := key(one); !known[k] {
			known[k] = true
			list = append(list, one)
		}
	}
	return list
}

// together orders the doors of a file. Doors of a group follow each other
// directly, from the position of the first of them on; the engine needs them
// so.
func together(doors []*engine.Door) []*engine.Door {
	groups := map[string]int{}
	place := make(map[*engine.Door]int, len(doors))
	for at, d := range doors {
		if d.Policy == engine.PolicyKnockd {
			if first, known := groups[d.Group]; known {
				at = first
			} else {
				groups[d.Group] = at
			}
		}
		place[d] = at
	}
	sorted := slices.Clone(doors)
	slices.SortStableFunc(sorted, func(a, b *engine.Door) int { return place[a] - place[b] })
	return sorted
}

// taken explains why a door cannot have its name, which the one at first has.
func (l *loader) taken(door *engine.Door, first source.Place) string {
	if first.File == door.File && first.Line == door.Line {
		if slices.ContainsFunc(l.set.Engine.Doors, func(d *engine.Door) bool { return d.Name == door.Name && d.Script == door.Script }) {
			return "this line registers it twice: in a loop, give each door a name of its own"
		}
		return fmt.Sprintf("more than one script requires %s, and each would have this door: register it in one of them", door.File)
	}
	return fmt.Sprintf("the name is taken by the one at %s: choose another", first)
}

// kindOfDoor names the way in which a door was registered, for messages.
func kindOfDoor(d *engine.Door) string {
	switch {
	case d.Listen:
		return "sesame.listen"
	case InConf(d):
		return "the section"
	}
	return "sesame.door"
}

// report notes a problem that shows only when all files are loaded.
func (l *loader) report(at source.Place, message string) {
	if file := l.scripts.Find(at.File); at.Column == 0 && file != nil {
		at.Column = file.Column(at.Line, "sesame", 0)
	}
	l.problems.Add(l.scripts.Problem(at, message))
}

// check finds names that no file declares. When a file failed, it reports
// nothing: the file may have been about to declare them.
func (l *loader) check() {
	if l.incomplete || len(l.problems) > 0 {
		return
	}
	names := slices.Sorted(maps.Keys(l.doors))
	for _, file := range l.scripts.All() {
		for _, site := range file.Closes {
			if _, ok := l.doors[site.Target]; !ok && site.Target != "" {
				message := fmt.Sprintf("close: there is no door %q%s%s", site.Target, spelling.DidYouMean(site.Target, names), spelling.Hint(site.Target))
				if l.mayRegister(site.Target, doorKinds...) {
					l.set.Mistakes = append(l.set.Mistakes, mistake.Mistake{Place: site.Place, Message: message})
					continue
				}
				l.report(site.Place, message)
			}
		}
	}
	l.checkMentions()
	l.checkNames()
	for _, s := range l.set.scripts {
		l.checkAllows(s)
	}
	l.checkZones()
	var options []string
	for _, o := range l.set.Options {
		options = append(options, o.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.options.Values)) {
		if !slices.Contains(options, name) {
			message := fmt.Sprintf("%s: no script declares the option %q%s", l.options.given(name), name, spelling.DidYouMean(name, options))
			l.problems.Add(&source.Problem{Message: message})
		}
	}
}

// doorKinds are the members of sesame that register doors.
var doorKinds = []string{"door", "listen", "knockd"}

// mayRegister reports whether the text of the set may register a name, although it did not. A
// script may do so under an option, and name it under the same option, which is off here.
func (l *loader) mayRegister(name string, kinds ...string) bool {
	return slices.ContainsFunc(l.scripts.All(), func(s *source.Script) bool { return s.May(name, kinds...) })
}

// checkZones makes the zones that functions name belong to the set, and finds
// those that do not exist.
func (l *loader) checkZones() {
	for _, file := range l.scripts.All() {
		for _, site := range file.Zones {
			if _, err := l.scripts.Zone(site.Name); err != nil {
				l.report(site.Place, "date: "+err.Error())
			}
		}
	}
}

// checkAllows finds calls of allow that would always fail, since neither they
// nor their door name a port.
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

// describe adds the files of a set without problems, and the calls and comments
// that were found in their texts.
func (l *loader) describe() {
	l.set.Engine.Scripts = l.names()
	for _, file := range l.scripts.All() {
		l.set.Files = append(l.set.Files, file.File)
		for _, line := range file.Program.Lines() {
			l.set.lines = append(l.set.lines, source.Place{File: file.Path, Line: line})
		}
		l.set.Allows = append(l.set.Allows, file.Allows...)
		l.set.Asks = append(l.set.Asks, file.Asks...)
		l.set.Denials = append(l.set.Denials, file.Denials...)
		l.set.Values = append(l.set.Values, file.Values...)
		l.set.Suppressions = append(l.set.Suppressions, file.Suppressions()...)
	}
	for _, file := range l.scripts.Referenced() {
		l.set.Files = append(l.set.Files, file.File)
		l.set.Suppressions = append(l.set.Suppressions, file.Suppressions()...)
		if file.Warning != "" {
			l.set.Warnings = append(l.set.Warnings, Warning{Place: source.Place{File: file.Path, Line: 1}, Text: file.Warning, Zone: true})
		}
		if file.OneTime {
			l.set.Warnings = append(l.set.Warnings, oneTimeWarnings(file.Path, file.Source)...)
		}
	}
}
