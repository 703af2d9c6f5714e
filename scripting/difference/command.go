package difference

import (
	"fmt"
	"slices"
	"strconv"

	"sesame/scripting"
)

// commandKey finds a command again: two files may have commands of one name.
func commandKey(c *scripting.Command) string { return c.Place.File + "\n" + c.Name }

// command compares two commands of one name.
func (c *comparison) command(was, is **scripting.Command) {
	switch {
	case was == nil:
		c.add((*is).Place.File, Change{Kind: Command, Name: (*is).Name, What: New})
		return
	case is == nil:
		c.add((*was).Place.File, Change{Kind: Command, Name: (*was).Name, What: Gone})
		return
	}
	a, b := *was, *is
	value := func(what, from, to string) {
		if from != to {
			c.add(b.Place.File, changed(Command, b.Name, what, from, to))
		}
	}
	c.argv(b, "program", "arguments", a.Argv, b.Argv)
	c.argv(b, "undo", "arguments of undo", a.Undo, b.Undo)
	value("timeout", duration(a.Timeout), duration(b.Timeout))
	value("ttl", duration(a.TTL), duration(b.TTL))
	value("status", status(a), status(b))
	value("shared", strconv.FormatBool(a.Shared), strconv.FormatBool(b.Shared))
	value("required", strconv.FormatBool(a.Required), strconv.FormatBool(b.Required))
	if fmt.Sprint(a.Choices) != fmt.Sprint(b.Choices) {
		c.add(b.Place.File, Change{Kind: Command, Name: b.Name, What: "choices"})
	}
}

// argv compares a program with its arguments. The arguments may have a password, and are not shown.
func (c *comparison) argv(is *scripting.Command, program, arguments string, before, after []string) {
	switch {
	case first(before) != first(after):
		c.add(is.Place.File, changed(Command, is.Name, program, first(before), first(after)))
	case !slices.Equal(before, after):
		c.add(is.Place.File, Change{Kind: Command, Name: is.Name, What: arguments})
	}
}

func first(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	return argv[0]
}

func status(c *scripting.Command) string {
	if c.AnyStatus {
		return "any"
	}
	return "zero"
}
