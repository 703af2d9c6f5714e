package lint

import "strings"

// commands finds commands that the machine cannot run: their programs are missing, or not
// executable. Each command has at most one finding, of its run and its undo.
func (c *checker) commands(m *Machine) {
	if m.Unrunnable == nil {
		return
	}
	for _, command := range c.set.Commands {
		var problems []string
		if problem := m.Unrunnable(command.Argv); problem != "" {
			problems = append(problems, problem)
		}
		if problem := m.Unrunnable(command.Undo); problem != "" {
			problems = append(problems, "its undo: "+problem)
		}
		if problems == nil {
			continue
		}
		c.found = append(c.found, Finding{
			ID: CommandMissing, File: command.Place.File, Line: command.Place.Line,
			Message: "this machine cannot run command " + command.Name + ": " + strings.Join(problems, "; "),
			Hint:    "make it right before somebody knocks; where another machine runs the scripts, check them there",
		})
	}
}

// shared finds commands whose undo, when the grant of one source ends, takes the effect away from
// all others. What a knockd.conf says is knockd's own way.
func (c *checker) shared() {
	for _, command := range c.set.Commands {
		if !command.Lua() || command.Undo == nil || command.Shared || command.UsesSource() {
			continue
		}
		c.found = append(c.found, Finding{
			ID: NotShared, File: command.Place.File, Line: command.Place.Line,
			Message: "command " + command.Name + " is the same for all sources, and its undo runs when the grant of one ends, while others still have theirs",
			Hint:    "write shared = true, so that its undo runs when the last grant ends, or {source} in its arguments",
		})
	}
}
