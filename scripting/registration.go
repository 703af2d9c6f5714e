package scripting

import (
	"fmt"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
	"sesame/scripting/knockd"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// A registration collects what one script registers while it loads, in the
// order of its calls.
type registration struct {
	doors     []*engine.Door
	timers    []engine.Timer
	timersAt  map[string]source.Place
	commands  []*Command
	options   []OptionValue
	optionsAt map[string]source.Place
	pending   []*pending
	tests     []*spec.Test // of a file of tests, which has nothing else
	name      string       // of sesame.script; "": none
	namedAt   source.Place
	policy    bool                    // sesame.policy was called
	knockd    bool                    // with "knockd"
	confs     map[string]source.Place // calls of sesame.knockd, by the absolute path of the knockd.conf
	warnings  []Warning
	mentions  []mention
	made      map[site]int // conditions without a name of their own, by their calls
	hosts     []condition.Host
	windows   bool // a window was made
	problems  source.Problems
}

// earliest names the first registration, for a message about a place; "" when
// there is none.
func (r *registration) earliest(from source.Place) string {
	var first source.Place
	name := ""
	if len(r.pending) > 0 {
		first, name = r.pending[0].at, r.pending[0].String()
	}
	for _, at := range r.confs {
		if name == "" || at.File == first.File && at.Line < first.Line {
			first, name = at, "sesame.knockd"
		}
	}
	switch {
	case name == "":
		return ""
	case first.File == from.File:
		return fmt.Sprintf("%s in line %d", name, first.Line)
	}
	return fmt.Sprintf("%s in %s:%d", name, first.File, first.Line)
}

// during names the registration during which the file failed, or after which it did in a loop:
// there the place alone does not tell which turn of the loop failed.
func (r *registration) during(err error) error {
	problem, ok := err.(*source.Problem)
	if !ok || len(r.pending) == 0 {
		return err
	}
	last := r.pending[len(r.pending)-1]
	named := *problem
	switch back := last.at.File == problem.File && problem.Line <= last.at.Line; {
	case last.computed && !last.done:
		named.Message += fmt.Sprintf(" (in %s)", last)
	case last.computed && back: // only a loop comes back to a line
		named.Message += fmt.Sprintf(" (after %s)", last)
	}
	return &named
}

// A pending registration got its name and waits for its table. It is done also
// when its name is wrong, which is reported already.
type pending struct {
	kind, name string
	at         source.Place
	done       bool
	computed   bool // the text does not have the name
}

// around returns the registration that waits for its table, which is being
// computed, when its place does not tell its name.
func (r *registration) around(what string) *pending {
	if len(r.pending) == 0 {
		return nil
	}
	if last := r.pending[len(r.pending)-1]; last.computed && !last.done && last.String() != what {
		return last
	}
	return nil
}

func (p *pending) String() string { return fmt.Sprintf("sesame.%s %q", p.kind, p.name) }

// A Command is a program that functions may run. An argument may hold
// placeholders, and stays one argument with any value: no shell splits it.
type Command struct {
	Name    string
	Place   source.Place
	Argv    []string
	Undo    []string            // nil: nothing to undo
	Timeout time.Duration       // of each run
	TTL     time.Duration       // until the undo; zero: that of the door
	Choices map[string][]string // placeholders of its own, and what may fill them
	// AnyStatus is set when a run that fails is reported and counts as done.
	AnyStatus bool
	// Required is set when a run that fails takes back the rest of the decision.
	Required bool
	// Shared is set when grants of all sources share one run and its undo.
	Shared bool
	argv   []template
	undo   []template
}

// identity returns a text that two commands have in common when they are declared alike.
func (c *Command) identity() string { return fmt.Sprintf("%#v", *c) }

// An OptionValue is a setting that a script declared, with the value that it
// got.
type OptionValue struct {
	Name  string
	Place source.Place
	Type  string
	Doc   string
	Value any  // a string, float64 or bool; a list is a string, with commas
	Set   bool // by the user; else the value is the default
}

// A Warning is about a line of a referenced file that probably means something
// else than its author thinks, or that has no effect in Sesame.
type Warning struct {
	source.Place
	Door string // "" outside of doors
	Text string // what the line does, and what to write instead
	Zone bool   // it is about the file of a time zone, which nobody wrote
	// Pasted is set when it is about a character that a web page put into the file.
	Pasted bool
	// Options is nil unless this is about the section [options]. See
	// [IgnoredOptions].
	Options *knockd.Options
}
