package scripting

import (
	"time"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
	"sesame/scripting/mistake"
	"sesame/scripting/source"
)

// Options are the settings with which a script set is loaded. All may be zero.
type Options struct {
	// Values are the values of sesame.option as text, by the name of the
	// option. A list has commas between its entries.
	Values map[string]string
	// Lists has the names of the values that were written as lists. Only an option
	// of a list type takes them.
	Lists map[string]bool
	// Given has the places of values for messages, such as "sesame.toml:12".
	// Values without a place come from --set.
	Given map[string]string
	// RanBefore means that the set was loaded before, perhaps by an earlier version, which did not
	// look for mistakes in functions: a recording, or the set of the last run. Such a mistake does
	// not reject it.
	RanBefore bool
	// SharedListenLimit gives a listener without a limit that of earlier versions, which all
	// sources share. A recording that they began needs it to be decided as it was.
	SharedListenLimit bool
	// Unpriced means that functions cost what they did in earlier versions: see
	// [engine.Call.Priced]. A recording that they began needs it to be decided as it was.
	Unpriced bool
	// Print gets what scripts print while they load. What they print later is a
	// [engine.Log].
	Print func(source.Place, string)
	// Ran is called when another line of a script or module is about to run, while the set loads
	// and later, in the goroutine that does so; nil: nobody asked. It makes scripts slower.
	Ran func(file string, line int)
	// Backstop is how long a function may take by the clock; 0: any time. It is for the daemon: the
	// engine tells which functions took longer, as [engine.Engine.Timeouts].
	Backstop time.Duration
}

// given names the origin of the value of an option.
func (o Options) given(name string) string {
	if place, ok := o.Given[name]; ok {
		return place + ": " + name
	}
	return "--set " + name
}

// A Set is a loaded script set: what the engine runs, and what reports and
// lints need. Only the goroutine that owns the engine may use Engine. Anyone who
// loaded the set closes it.
type Set struct {
	Engine *engine.Set
	Files  []source.File // scripts and modules by path, and then the referenced files by path

	Commands     []*Command
	Options      []OptionValue
	Allows       []source.AllowSite
	Asks         []source.AskSite    // places that may ask a database
	Denials      []source.DenialSite // places that let sources pass of which nothing is known
	Values       []source.ValueSite  // places that store something of each source for ever
	Suppressions []source.Suppression
	Warnings     []Warning        // of the referenced files
	Hosts        []condition.Host // whose addresses conditions ask for; a name may stand several times
	Windows      bool             // whether a condition depends on the time of day
	// Mistakes are uses of what functions are given that probably fail. Those that certainly fail
	// are problems of the set.
	Mistakes []mistake.Mistake
	// Code identifies what the functions and files do, so that sets can be compared.
	Code []Code

	scripts []*script
	lines   []source.Place
}

// Close frees the Lua states. The engine must have another set by then.
func (s *Set) Close() {
	for _, script := range s.scripts {
		script.state.Close()
	}
}

// Steps returns how many steps the functions of all scripts used, as [engine.Call.Spend] counts
// them: one is some 30 ns of work. What loading used is not among them.
func (s *Set) Steps() (n int64) {
	for _, script := range s.scripts {
		n += script.steps
	}
	return n
}

// Lines returns the lines of scripts and modules that have code, in order. The places have no
// columns.
func (s *Set) Lines() []source.Place { return s.lines }

// Sites returns the calls of allow and close in a script and in the modules
// that it requires. A door may use those in its own registration and those
// outside of all registrations. Anything else is refused when the function
// runs. So a script that hides a call, as in attempt["al" .. "low"], can do no
// more than these places show. A module has no sites of its own.
func (s *Set) Sites(script string) ([]source.AllowSite, []source.CloseSite) {
	for _, candidate := range s.scripts {
		if candidate.source.Path == script {
			return candidate.allows, candidate.closes
		}
	}
	return nil, nil
}
