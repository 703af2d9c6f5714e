package scripting

import (
	"sesame/daemon/engine"
	"sesame/scripting/source"
)

// A Set is a loaded script set: what the engine needs, and what reports and lints
// tell about it. Only the goroutine that owns the engine may use Engine.
type Set struct {
	Engine *engine.Set
	Files  []source.File // scripts and the modules that they require, by path, and then what else they name

	Commands     []*Command
	Options      []OptionValue
	Allows       []source.AllowSite
	Suppressions []source.Suppression
	Warnings     []Warning // of the knockd.confs

	scripts []*script
}

// Close frees the Lua states. The engine must have another set by then.
func (s *Set) Close() {
	for _, script := range s.scripts {
		script.state.Close()
	}
}

// Sites returns the places at which functions of a script give access and close
// doors: those in its file and in the modules that it requires. A door reaches
// those of its own registration and those that stand in none, and what none of
// these says is refused when it is asked for: a script that hides a call
// (attempt["al" .. "low"]) does no more than who reads it is told. A module has
// no sites of its own.
func (s *Set) Sites(script string) ([]source.AllowSite, []source.CloseSite) {
	for _, candidate := range s.scripts {
		if candidate.source.Path == script {
			return candidate.allows, candidate.closes
		}
	}
	return nil, nil
}
