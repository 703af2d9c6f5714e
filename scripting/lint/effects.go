package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A Script is all that one file, with the modules that it requires, can do to
// the machine. A knockd.conf that a script reads is a file of its own. It is an upper bound: what stands in a function that nothing
// calls is listed too. What is not listed is refused when it is asked for.
type Script struct {
	File  string `json:"file"`
	Doors []Door `json:"doors,omitempty"`
	// Allows and Closes are those of functions that stand outside of doors, which
	// any door of the file may call.
	Allows []Allow `json:"allows,omitempty"`
	Closes []Close `json:"closes,omitempty"`
	// Commands can be run by each function of the file.
	Commands []Command `json:"commands,omitempty"`
}

// A Door is what a door does when it stands there, and when it opens.
type Door struct {
	Name string `json:"name"`
	File string `json:"file"` // that registers it: the script, or a module
	Line int    `json:"line"`
	// Observe says that the door only observes: nothing of what follows is done.
	Observe bool     `json:"observe,omitempty"`
	Guards  []string `json:"guards,omitempty"` // shut to everyone without a grant
	Allows  []Allow  `json:"allows,omitempty"`
	Closes  []Close  `json:"closes,omitempty"`
	// Marks is the file in which it marks sequences as used.
	Marks string `json:"marks,omitempty"`
	// Commands are those of a section of a knockd.conf, which no other door runs.
	Commands []Command `json:"commands,omitempty"`
}

// An Allow is access that can be given.
type Allow struct {
	File  string   `json:"file"`
	Line  int      `json:"line"` // of the call, or of the door that needs none
	Ports []string `json:"ports,omitempty"`
	Any   bool     `json:"any,omitempty"` // the port is computed, and can be every one
	// Prefix4 and Prefix6 are the lengths of the networks around the source that
	// have access too: 0 when it is the source alone.
	Prefix4    int  `json:"prefix4,omitempty"`
	Prefix6    int  `json:"prefix6,omitempty"`
	AnyNetwork bool `json:"any_network,omitempty"` // a length is computed
}

// A Close is a door whose grants a source can lose.
type Close struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Door string `json:"door,omitempty"`
	Any  bool   `json:"any,omitempty"` // the name is computed, and can be every one
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
	var scripts []Script
	for _, file := range set.Files {
		if s := script(set, file.Path); s.Doors != nil || s.Allows != nil || s.Closes != nil || s.Commands != nil {
			scripts = append(scripts, s)
		}
	}
	return scripts
}

func script(set *scripting.Set, path string) Script {
	s := Script{File: path}
	allows, closes := set.Sites(path)
	sections := map[string]int{} // of a knockd.conf, by name
	for _, d := range set.Engine.Doors {
		switch {
		case scripting.InConf(d) && d.File == path:
			sections[d.Name] = len(s.Doors)
			s.Doors = append(s.Doors, door(d, nil, nil))
		case !scripting.InConf(d) && d.Script == path:
			s.Doors = append(s.Doors, door(d, allows, closes))
		}
	}
	for _, site := range allows {
		if site.Door == "" {
			s.Allows = append(s.Allows, allow(site, nil))
		}
	}
	s.Closes = closesIn("", closes)
	for _, c := range set.Commands {
		if c.Place.File != path {
			continue
		}
		command := Command{c.Name, c.Place.Line, c.Argv, c.Undo, c.Choices}
		if i, found := sections[c.Name]; found {
			s.Doors[i].Commands = append(s.Doors[i].Commands, command)
		} else {
			s.Commands = append(s.Commands, command)
		}
	}
	return s
}

func door(d *engine.Door, allows []source.AllowSite, closes []source.CloseSite) Door {
	door := Door{Name: d.Name, File: d.File, Line: d.Line, Observe: d.Observe, Guards: names(d.Guards), Closes: closesIn(d.Name, closes)}
	if d.OneTime != nil {
		door.Marks = d.OneTime.File
	}
	if !d.Listen && d.Hooks&engine.HookOpen == 0 && len(d.Guards) > 0 {
		door.Allows = append(door.Allows, Allow{File: d.File, Line: d.Line, Ports: names(d.Guards)})
	}
	for _, site := range allows {
		if site.Door != d.Name {
			continue
		}
		if a := allow(site, d); a.Any || len(a.Ports) > 0 { // else its ports exclude all of them
			door.Allows = append(door.Allows, a)
		}
	}
	return door
}

// allow says what a call can give, when it stands in door d or, when that is
// nil, in none.
func allow(site source.AllowSite, d *engine.Door) Allow {
	a := Allow{File: site.File, Line: site.Line, Prefix4: site.Prefix4, Prefix6: site.Prefix6}
	if site.Prefix4 == source.Computed || site.Prefix6 == source.Computed {
		a.AnyNetwork, a.Prefix4, a.Prefix6 = true, 0, 0
	}
	ports := site.Ports
	switch {
	case !site.Literal && (d == nil || d.Ports == nil):
		a.Any = true
		return a
	case d == nil: // without ports, the guards of whichever door calls it, which that door lists
		a.Ports = names(ports)
		return a
	case !site.Literal:
		ports = slices.Concat(d.Guards, d.Ports)
	case len(ports) == 0:
		ports = d.Guards
	}
	a.Ports = names(slices.DeleteFunc(slices.Clone(ports), func(port packet.Port) bool {
		return d.Ports != nil && !slices.Contains(d.Ports, port) && !slices.Contains(d.Guards, port)
	}))
	return a
}

// closesIn returns what the calls in a door can close, or those in none.
func closesIn(door string, sites []source.CloseSite) []Close {
	var closes []Close
	for _, site := range sites {
		if site.Door == door {
			closes = append(closes, Close{File: site.File, Line: site.Line, Door: site.Target, Any: site.Target == ""})
		}
	}
	return closes
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
