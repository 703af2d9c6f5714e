package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A Script lists everything that one file, with the modules that it requires,
// can do to the machine. A knockd.conf that a script reads is a file of its
// own. The list is an upper bound: calls in a function that nothing calls are
// listed too. What is not listed is refused when a function asks for it.
type Script struct {
	File  string `json:"file"`
	Doors []Door `json:"doors,omitempty"`
	// Allows and Closes are calls in functions outside of doors, which any door
	// of the file may call.
	Allows []Allow `json:"allows,omitempty"`
	Closes []Close `json:"closes,omitempty"`
	// Commands are those that every function of the file may run.
	Commands []Command `json:"commands,omitempty"`
}

// A Door lists what a door does all the time, which is to guard ports, and what
// it can do when it opens.
type Door struct {
	Name string `json:"name"`
	File string `json:"file"` // that registers it: the script, or a module
	Line int    `json:"line"`
	// Observe is set for a door that only observes. It does nothing of what
	// follows.
	Observe bool     `json:"observe,omitempty"`
	Guards  []string `json:"guards,omitempty"` // closed to everyone without a grant
	Allows  []Allow  `json:"allows,omitempty"`
	Closes  []Close  `json:"closes,omitempty"`
	// OneTime is the file of one-time sequences in which it comments out lines.
	OneTime string `json:"marks,omitempty"`
	// Commands are those of a section of a knockd.conf, which no other door may
	// run.
	Commands []Command `json:"commands,omitempty"`
}

// An Allow is access that can be given.
type Allow struct {
	File  string   `json:"file"`
	Line  int      `json:"line"` // of the call, or of a door without on_open
	Ports []string `json:"ports,omitempty"`
	Any   bool     `json:"any,omitempty"` // the port is computed, and can be every one
	// Prefix4 and Prefix6 are the lengths of the networks around the source
	// that get access. 0: the source alone.
	Prefix4    int  `json:"prefix4,omitempty"`
	Prefix6    int  `json:"prefix6,omitempty"`
	AnyNetwork bool `json:"any_network,omitempty"` // a length is computed
}

// A Close is a call that ends the grants of a source at a door.
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

// Effects lists by file everything that a set can do to the machine, without
// files that can do nothing.
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
		door.OneTime = d.OneTime.File
	}
	if !d.Listen && d.Hooks&engine.HookOpen == 0 && len(d.Guards) > 0 {
		door.Allows = append(door.Allows, Allow{File: d.File, Line: d.Line, Ports: names(d.Guards)})
	}
	for _, site := range allows {
		if site.Door != d.Name {
			continue
		}
		if a := allow(site, d); a.Any || len(a.Ports) > 0 { // else the ports of the door exclude them all
			door.Allows = append(door.Allows, a)
		}
	}
	return door
}

// allow describes a call of allow that stands in door d, or outside of doors
// when d is nil.
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
	case d == nil: // a call without ports opens the guards of the door that calls it, which that door lists
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

// closesIn describes the calls of close in a door, or with "" those outside of
// doors.
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
