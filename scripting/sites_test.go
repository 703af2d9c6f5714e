package scripting_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

func TestSitesInText(t *testing.T) {
	w := theScript(t, `
local pick = function(attempt) attempt:allow { port = attempt.payload } end
-- sesame:allow ascending the router knocks like that
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt)
  attempt:allow()
  attempt:allow { port = { "tcp/443", 80 }, ttl = "1h" } -- sesame:allow unguarded
  attempt:close "web"
  pick(attempt)
end }
sesame.listen "web" { on = "udp/1", on_knock = function(knock)
  local name = "ss" .. "h"
  knock:close(name)
  local allow = knock.allow
end }
local office = sesame.networks { "192.0.2.1" }
local times = { hours = sesame.window { days = "sat", tz = "UTC" } }
night = sesame.window { from = "22:00", to = "06:00", tz = "UTC" }
local a, b = sesame.window { days = "sun", tz = "UTC", name = "rest" }, sesame.command { "/bin/true", undo = { "/bin/false" } }
sesame.door "late" { sequence = { 1, 3 }, when = { office, times.hours, night, a } }
`)
	var got []string
	for _, s := range w.set.Allows {
		got = append(got, fmt.Sprintf("allow %s in %q literal=%t %v", s.Place, s.Door, s.Literal, s.Ports))
	}
	_, closes := w.set.Sites("ssh.lua")
	for _, s := range closes {
		got = append(got, fmt.Sprintf("close %s in %q %q", s.Place, s.Door, s.Target))
	}
	for _, s := range w.set.Suppressions {
		got = append(got, fmt.Sprintf("suppressed %s %s %q", s.Place, s.ID, s.Reason))
	}
	for _, condition := range w.set.Engine.Doors[2].When {
		got = append(got, "condition "+condition.String())
	}
	for _, command := range w.set.Commands {
		got = append(got, fmt.Sprintf("command %s %s %q %q %s", command.Place, command.Name, command.Argv, command.Undo, command.Timeout))
	}
	want := []string{
		`allow ssh.lua:2:32 in "" literal=false []`,
		`allow ssh.lua:5:3 in "ssh" literal=true []`,
		`allow ssh.lua:6:3 in "ssh" literal=true [tcp/443 tcp/80]`,
		`allow ssh.lua:13:17 in "web" literal=false []`,
		`close ssh.lua:7:3 in "ssh" "web"`,
		`close ssh.lua:12:3 in "web" ""`,
		`suppressed ssh.lua:3:1 ascending "the router knocks like that"`,
		`suppressed ssh.lua:6:58 unguarded ""`,
		`condition office: 192.0.2.1/32`,
		`condition hours: sat 00:00-24:00 UTC`,
		`condition night: mon-sun 22:00-06:00 UTC`,
		`condition rest: sun 00:00-24:00 UTC`,
		`command ssh.lua:18:73 b ["/bin/true"] ["/bin/false"] 10s`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
}

func TestDoorsAreInTheOrderOfFilesAndLines(t *testing.T) {
	w := twoScripts(t, "\nsesame.door \"NAME2\" { sequence = { 1 } }\nsesame.door \"NAME1\" { sequence = { 1 } }")
	var got []string
	for _, door := range w.set.Engine.Doors {
		got = append(got, fmt.Sprintf("%s:%d %s", door.Script, door.Line, door.Name))
	}
	if want := "a.lua:2 a2, a.lua:3 a1, b.lua:2 b2, b.lua:3 b1"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOneFile(t *testing.T) {
	files := map[string]string{
		"a.lua":     `sesame.door "a" { sequence = { 1 }, when = require "t" }`,
		"b.lua":     `this is wrong`,
		"lib/t.lua": `return sesame.window { days = "sat", tz = "UTC" }`,
	}
	one := sourcetest.Files(files)
	one.Single = "a.lua"
	set, err := scripting.Load(one, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if len(set.Engine.Doors) != 1 || len(set.Files) != 2 {
		t.Errorf("%d doors, %d files", len(set.Engine.Doors), len(set.Files))
	}
	one.Single = "c.lua"
	if _, err := scripting.Load(one, scripting.Options{}); err == nil || !strings.Contains(err.Error(), "c.lua") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestScriptsPrintWhileTheyLoad(t *testing.T) {
	var got []string
	files := map[string]string{"a.lua": "\nprint('hello', 1)\n"}
	theScripts(t, files, scripting.Options{Print: func(at source.Place, text string) { got = append(got, at.String()+" "+text) }})
	if strings.Join(got, "\n") != "a.lua:2 hello\t1" {
		t.Errorf("printed %q", got)
	}
}
