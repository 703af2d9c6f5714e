package scripting

import (
	"testing"
	"time"

	"sesame/scripting/source"
)

// A knockd.conf of a megabyte has thousands of commands, a loop may declare as many in one line,
// and a reload reads them again.
func TestManyCommandsAreComparedOnce(t *testing.T) {
	var commands []*Command
	for i := range 30_000 {
		commands = append(commands, &Command{Place: source.Place{File: "/etc/knockd.conf", Line: i / 10_000}, TTL: time.Duration(i)})
	}
	keys := 0
	known := map[string]bool{}
	keyed := func(c *Command) string { keys++; return c.identity() }
	if all := appendNew(known, appendNew(known, nil, commands, keyed), commands, keyed); len(all) != len(commands) {
		t.Errorf("%d commands, want %d", len(all), len(commands))
	}
	if keys > 2*len(commands) {
		t.Errorf("%d commands were looked at %d times", len(commands), keys)
	}
}
