package lint

import (
	"cmp"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// A Script is all that one file can do to the machine. It is an upper bound:
// what stands in a function that nothing calls is listed too.
type Script struct {
	File  string `json:"file"`
	Doors []Door `json:"doors,omitempty"`
	// Allows are those of functions that stand outside of doors, which any door
	// may call.
	Allows []Allow `json:"allows,omitempty"`
	// Commands can be run by each function of the file.
	Commands []Command `json:"commands,omitempty"`
}

// A Door is what a door does when it stands there, and when it opens.
type Door struct {
	Name   string   `json:"name"`
	Line   int      `json:"line"`
	Guards []string `json:"guards,omitempty"` // shut to everyone without a grant
	Allows []Allow  `json:"allows,omitempty"`
}

// An Allow is access that can be given.
type Allow struct {
	Line  int      `json:"line"` // of the call, or of the door that needs none
	Ports []string `json:"ports,omitempty"`
	Any   bool     `json:"any,omitempty"` // the port is computed, and can be every one
}

// A Command is a program that can be run, with its placeholders.
type Command struct {
	Name    string              `json:"name"`
	Line    int                 `json:"line"`
	Argv    []string            `json:"argv"`
	Undo    []string            `json:"undo,omitempty"`
	Choices map[string][]string `json:"choices,omitempty"`
}

// Effects lists, by file, all that a set can do to the machine. Files that can
// do nothing are left out.
func Effects(set *scripting.Set) []Script {
	e := &effects{set: set}
	for _, d := range set.Engine.Doors {
		script := e.script(d.Script)
		script.Doors = append(script.Doors, e.door(d))
	}
	for _, site := range set.Allows {
		if d := doorOf(set, site); d == nil {
			script := e.script(site.File)
			script.Allows = append(script.Allows, allow(site, nil))
		}
	}
	for _, c := range set.Commands {
		script := e.script(c.Place.File)
		script.Commands = append(script.Commands, Command{c.Name, c.Place.Line, c.Argv, c.Undo, c.Choices})
	}
	slices.SortFunc(e.scripts, func(a, b Script) int { return cmp.Compare(a.File, b.File) })
	return e.scripts
}

type effects struct {
	set     *scripting.Set
	scripts []Script
}

// script returns the entry of a file.
func (e *effects) script(file string) *Script {
	i := slices.IndexFunc(e.scripts, func(s Script) bool { return s.File == file })
	if i < 0 {
		i = len(e.scripts)
		e.scripts = append(e.scripts, Script{File: file})
	}
	return &e.scripts[i]
}

func (e *effects) door(d *engine.Door) Door {
	door := Door{Name: d.Name, Line: d.Line, Guards: names(d.Guards)}
	if !d.Listen && d.Hooks&engine.HookOpen == 0 && len(d.Guards) > 0 {
		door.Allows = append(door.Allows, Allow{Line: d.Line, Ports: names(d.Guards)})
	}
	for _, site := range e.set.Allows {
		if doorOf(e.set, site) == d {
			door.Allows = append(door.Allows, allow(site, d))
		}
	}
	return door
}

// allow says what a call can give, when it stands in door d or in none.
func allow(site scripting.AllowSite, d *engine.Door) Allow {
	switch {
	case site.Literal && len(site.Ports) > 0:
		return Allow{Line: site.Line, Ports: names(site.Ports)}
	case site.Literal && d != nil:
		return Allow{Line: site.Line, Ports: names(d.Guards)}
	case !site.Literal && d != nil && d.Ports != nil:
		return Allow{Line: site.Line, Ports: names(append(slices.Clone(d.Guards), d.Ports...))}
	case site.Literal: // the guards of whichever door calls it, which that door lists
		return Allow{Line: site.Line}
	}
	return Allow{Line: site.Line, Any: true}
}

func names(ports []packet.Port) []string {
	var names []string
	for _, port := range ports {
		if name := port.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
