package scripting

import (
	"testing"

	"sesame/scripting/source"
)

// TestCommandOf finds the commands that made some arguments.
func TestCommandOf(t *testing.T) {
	set, err := Load(source.Of("scripts", "", []source.File{{Path: "a.lua", Source: []byte(`
local ban = sesame.command { "/sbin/ban", "{source}", undo = { "/sbin/ban", "-d", "{source}" }, name = "ban" }
local note = sesame.command { "/bin/note", "from {source} at {door}", name = "note" }
local any = sesame.command { "/bin/note", "{door}", name = "any" }
local braces = sesame.command { "/bin/note", "{{x}}", name = "braces" }
`)}}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, tt := range []struct {
		argv []string
		name string // "": none
		undo bool
	}{
		{[]string{"/sbin/ban", "192.0.2.1"}, "ban", false},
		{[]string{"/sbin/ban", "-d", "192.0.2.1"}, "ban", true},
		{[]string{"/sbin/ban", "-x", "192.0.2.1"}, "", false},
		{[]string{"/sbin/ban"}, "", false},
		{[]string{"/bin/note", "from 192.0.2.1 at ssh"}, "note", false},
		{[]string{"/bin/note", "from 192.0.2.1"}, "any", false},
		{[]string{"/bin/note", ""}, "any", false},
		{[]string{"/bin/note", "{x}"}, "braces", false},
		{[]string{"/bin/other", "ssh"}, "", false},
		{nil, "", false},
	} {
		command, undo := set.CommandOf(tt.argv)
		name := ""
		if command != nil {
			name = command.Name
		}
		if name != tt.name || command != nil && undo != tt.undo {
			t.Errorf("%q: got %q, undo %v", tt.argv, name, undo)
		}
	}
}
