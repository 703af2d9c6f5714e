package lint

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

func TestCommandsThatAMachineCannotRun(t *testing.T) {
	files := map[string]string{
		"a.lua": `local good = sesame.command { "/bin/good", undo = { "/bin/good" } }
local bad  = sesame.command { "/bin/bad", "{source}", undo = { "/bin/worse" } }
local half = sesame.command { "/bin/good", undo = { "/bin/worse" } }
-- sesame:allow command-missing only the gateway has it
local meant = sesame.command { "/bin/bad" }
-- sesame:allow command-missing it may come
local here = sesame.command { "/bin/good" }
sesame.knockd "/etc/knockd.conf"`,
		"/etc/knockd.conf": "[open]\n  sequence = 7000,8000,9000,6500\n  command = /bin/bad %IP%\n",
	}
	set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	machine := Machine{Unrunnable: func(argv []string) string {
		if program := strings.Join(argv, " "); strings.Contains(program, "/bin/bad") || strings.Contains(program, "/bin/worse") {
			return "it is missing"
		}
		return ""
	}}
	var got []string
	for _, f := range CheckOn(set, &machine, nil, time.Time{}) {
		if f.ID == CommandMissing || f.ID == UnusedAllow {
			got = append(got, f.String())
		}
	}
	want := []string{
		"/etc/knockd.conf:3: command-missing: this machine cannot run command open: it is missing",
		"a.lua:2: command-missing: this machine cannot run command bad: it is missing; its undo: it is missing",
		"a.lua:3: command-missing: this machine cannot run command half: its undo: it is missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, m := range []*Machine{nil, {}} { // another machine, and one of which that is not known
		if slices.ContainsFunc(CheckOn(set, m, nil, time.Time{}), func(f Finding) bool { return f.ID == CommandMissing }) {
			t.Error("found on a machine that nobody looked at")
		}
	}
}

func TestAnUndoThatTakesTheEffectFromOthers(t *testing.T) {
	files := map[string]string{
		"a.lua": `local all  = sesame.command { "/bin/on", "{port}", undo = { "/bin/off" } }
local one  = sesame.command { "/bin/on", "{source}", undo = { "/bin/off" } }
local two  = sesame.command { "/bin/on", undo = { "/bin/off", "from={source}" } }
local both = sesame.command { "/bin/on", undo = { "/bin/off" }, shared = true }
local none = sesame.command { "/bin/on" }
-- sesame:allow not-shared a second run does nothing
local meant = sesame.command { "/bin/on", undo = { "/bin/off" } }
sesame.knockd "/etc/knockd.conf"`,
		"/etc/knockd.conf": "[open]\n  sequence = 7000,8000,9000,6500\n  start_command = /bin/on\n  stop_command = /bin/off\n",
	}
	set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var got []string
	for _, f := range Check(set) {
		if f.ID == NotShared || f.ID == UnusedAllow {
			got = append(got, f.String())
		}
	}
	want := []string{"a.lua:1: not-shared: command all is the same for all sources, and its undo runs when the grant of one ends, while others still have theirs"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
