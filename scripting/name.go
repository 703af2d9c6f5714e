package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/source"
)

func nameMember() Member {
	return Member{Name: "script", Type: `"name"`, Doc: "Names what the stores and delays of this file are kept under, at its head. Then a renamed file has the values that it had. Without it they are kept under the path of the file, such as \"beacon.lua\".",
		Example: `sesame.script "beacon"`, function: registerName}
}

// registerName sets the name of the file. It must come first, so that a reader
// sees at once whose values these are.
func registerName(s *script, L *lua.LState) int {
	v, _ := s.argument(L, "script", "")
	name, ok := readName(v)
	earlier := s.loading.earliest(v.at)
	switch {
	case !ok:
	case v.at.File != s.source.Path:
		v.fail("a module has no values of its own: write it at the head of %s", s.source.Path)
	case s.loading.name != "":
		v.fail("it is named twice: a file has one name")
	case earlier != "":
		v.fail("it stands behind %s: write it at the head of the file", earlier)
	}
	s.loading.name, s.loading.namedAt = name, v.at
	return 0
}

// take gives the doors and handlers of a file the name under which it keeps what
// lasts.
func (s *script) take(registered *registration) {
	s.owner, s.namedAt = registered.name, registered.namedAt
	if s.owner == "" {
		s.owner = s.source.Path
	}
	for _, d := range registered.doors {
		d.Owner = s.owner
	}
	for i := range registered.timers {
		registered.timers[i].Owner = s.owner
	}
}

// checkNames finds files that would share their values.
func (l *loader) checkNames() {
	first := map[string]*script{}
	for _, s := range l.set.scripts {
		if s.namedAt == (source.Place{}) {
			first[s.owner] = s
		}
	}
	for _, s := range l.set.scripts {
		if s.namedAt == (source.Place{}) {
			continue
		}
		switch other := first[s.owner]; {
		case other == nil:
			first[s.owner] = s
		case other.namedAt == (source.Place{}):
			l.report(s.namedAt, fmt.Sprintf("sesame.script: %s keeps its values under its path: choose another name, or name that file too", other.source.Path))
		default:
			l.report(s.namedAt, fmt.Sprintf("sesame.script: the name %q is taken by %s: the files would share their values, so choose another", s.owner, other.namedAt))
		}
	}
}

// names returns the names of all files, for the engine.
func (l *loader) names() (all []engine.Script) {
	for _, s := range l.set.scripts {
		all = append(all, engine.Script{Path: s.source.Path, Owner: s.owner})
	}
	return all
}
