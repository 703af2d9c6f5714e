package scripting

import (
	"testing"

	"sesame/scripting/source"
)

// A knockd.conf of a megabyte has thousands of commands, and a reload reads it.
func TestManyCommandsAreComparedOnce(t *testing.T) {
	var commands []*Command
	for i := range 30_000 {
		commands = append(commands, &Command{Place: source.Place{File: "/etc/knockd.conf", Line: i}})
	}
	place := func(c *Command) source.Place { return c.Place }
	compared := 0
	equal := func(a, b *Command) bool { compared++; return a == b }
	if all := appendNew(appendNew(nil, commands, place, equal), commands, place, equal); len(all) != len(commands) {
		t.Errorf("%d commands, want %d", len(all), len(commands))
	}
	if compared > len(commands) {
		t.Errorf("%d commands were compared %d times", len(commands), compared)
	}
}
