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
// listed too. What is not listed is refused when a function requests it.
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
	// Cut is set for a door that ends sessions with its grants.
	Cut    bool    `json:"cut,omitempty"`
	Allows []Allow `json:"allows,omitempty"`
	Closes []Close `json:"closes,omitempty"`
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
	// Completed are the doors of which the last to complete one may be given the
	// access.
	Completed []string `json:"completed,omitempty"`
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
	Shared  bool                `json:"shared,omitempty"` // run once for all sources, and undone after the last
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

// A listing is a Script while the rows of effectRows fill it.
type listing struct {
	Script
	set    *scripting.Set
	doors  []*engine.Door // those of Doors, by the same index
	allows []source.AllowSite
	closes []source.CloseSite
}

// effectRows has a row for each effect of the engine. It adds to the list of a file
// what its functions can do with the effect.
var effectRows = [engine.Effects]func(*listing){
	engine.EffectAllow:      (*listing).addAllows,
	engine.EffectElement:    (*listing).addCloses, // the elements of EffectAllow are listed there
	engine.EffectExec:       (*listing).addCommands,
	engine.EffectUndo:       unlisted, // it is listed with its command
	engine.EffectCommentOut: (*listing).addOneTime,
	engine.EffectPersist:    unlisted,
	engine.EffectConsume:    unlisted,
	engine.EffectLog:        unlisted,
	engine.EffectCut:        unlisted, // a person does that, and no script
	engine.EffectTest:       unlisted,
}

// unlisted is the row of an effect that changes only the records and the log of
// the daemon, or that another row lists.
func unlisted(*listing) {}

func script(set *scripting.Set, path string) Script {
	l := &listing{Script: Script{File: path}, set: set}
	l.allows, l.closes = set.Sites(path)
	for _, d := range set.Engine.Doors {
		if inConf := scripting.InConf(d); inConf && d.File == path || !inConf && d.Script == path {
			l.doors = append(l.doors, d)
			l.Doors = append(l.Doors, Door{Name: d.Name, File: d.File, Line: d.Line, Observe: d.Observe, Guards: names(d.Guards), Cut: d.Cut})
		}
	}
	for _, add := range effectRows {
		if add != nil {
			add(l)
		}
	}
	return l.Script
}

// addAllows lists the access that functions can give, and that a door without
// on_open gives.
func (l *listing) addAllows() {
	for i, d := range l.doors {
		door := &l.Doors[i]
		if !d.Listen && d.Hooks&engine.HookOpen == 0 && len(d.Guards) > 0 {
			door.Allows = append(door.Allows, Allow{File: d.File, Line: d.Line, Ports: names(d.Guards)})
		}
		for _, site := range l.allows {
			if site.Door != d.Name {
				continue
			}
			if a := l.allow(site, d); a.Any || len(a.Ports) > 0 { // else the ports of the door exclude them all
				door.Allows = append(door.Allows, a)
			}
		}
	}
	for _, site := range l.allows {
		if site.Door == "" {
			l.Allows = append(l.Allows, l.allow(site, nil))
		}
	}
}

// addCloses lists the doors whose grants functions can end.
func (l *listing) addCloses() {
	l.Closes = closesIn("", l.closes)
	for i := range l.Doors {
		l.Doors[i].Closes = closesIn(l.Doors[i].Name, l.closes)
	}
}

// addCommands lists the commands. Those of a knockd.conf belong to the door of
// their section.
func (l *listing) addCommands() {
	sections := map[string]int{}
	for i, d := range l.doors {
		if scripting.InConf(d) {
			sections[d.Name] = i
		}
	}
	for _, c := range l.set.Commands {
		if c.Place.File != l.File {
			continue
		}
		commands := &l.Commands
		if i, found := sections[c.Name]; found {
			commands = &l.Doors[i].Commands
		}
		*commands = append(*commands, Command{c.Name, c.Place.Line, c.Argv, c.Undo, c.Shared, c.Choices})
	}
}

// addOneTime lists the files of one-time sequences.
func (l *listing) addOneTime() {
	for i, d := range l.doors {
		if d.OneTime != nil {
			l.Doors[i].OneTime = d.OneTime.File
		}
	}
}

// allow describes a call of allow in door d, or outside of doors when d is nil.
func (l *listing) allow(site source.AllowSite, d *engine.Door) Allow {
	a := allow(site, d)
	for _, other := range l.set.Engine.Doors {
		if site.Other && other.NoteCompletions {
			a.Completed = append(a.Completed, other.Name)
		}
	}
	return a
}

// allow describes the ports and networks of a call.
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
