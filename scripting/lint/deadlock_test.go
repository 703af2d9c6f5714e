package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source/sourcetest"
)

// TestDeadlock loads doors, each a name and its conditions, and compares who
// waits for whom in vain.
func TestDeadlock(t *testing.T) {
	const head = `
local hours = sesame.window { from = "08:00", to = "19:00", tz = "UTC" }
local function door(name, when, mode)
  sesame.door(name) { sequence = { 1, "udp/2", 9, 4 }, guards = 22, when = when, mode = mode }
end
local function did(name) return sesame.completed { name, within = "5m", name = "did " .. name } end
local has = function(name) return sesame.granted { name, name = "has " .. name } end
`
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"one after the other":     {`door("a") door("b", did "a") door("c", { has "b", hours })`, nil},
		"each for the other":      {`door("a", did "b") door("b", has "a")`, []string{`a: "b"`, `b: "a"`}},
		"in a circle of three":    {`door("a", did "b") door("b", did "c") door("c", did "a")`, []string{`a: "b"`, `b: "c"`, `c: "a"`}},
		"for itself":              {`door("a", did "a")`, []string{`a: "a"`}},
		"behind a circle":         {`door("a", did "a") door("b", has "a")`, []string{`a: "a"`, `b: "a"`}},
		"with another way":        {`door("a", sesame.any { did "b", hours }) door("b", did "a")`, nil},
		"with all of two":         {`door("a", sesame.all { did "b", hours }) door("b", did "a")`, []string{`a: "b"`, `b: "a"`}},
		"not both":                {`door("a", sesame.none { did "b" }) door("b", did "a")`, nil},
		"for an observer":         {`door("a", nil, "observe") door("b", has "a")`, []string{`b: "a"`}},
		"an observer for another": {`door("a", nil, "observe") door("b", has "a", "observe")`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": head + tt.text}), scripting.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			var got []string
			for _, f := range lint.Check(set) {
				if f.ID == lint.Deadlock {
					_, after, _ := strings.Cut(f.Message, "wait for door ")
					other, _, _ := strings.Cut(after, " (")
					got = append(got, fmt.Sprintf("%s: %s", f.Door, other))
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A door behind another that has no condition is a way back, since neither the
// clock nor a list can shut it.
func TestAWayBackBehindAnotherDoor(t *testing.T) {
	for when, want := range map[string]bool{
		`nil`: false, `hours`: true, `vpn`: false, `{ vpn, hours }`: true, `sesame.any { vpn, hours }`: false,
		`sesame.all { vpn, hours }`: true, `sesame.none { hours }`: true, `timed`: true, `watch`: true, `function() return true end`: true,
	} {
		set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `
local hours = sesame.window { from = "08:00", to = "19:00", tz = "UTC" }
local vpn, timed, watch = sesame.granted "vpn", sesame.granted { "timed" }, sesame.granted { "watch", name = "watch" }
sesame.door "watch" { sequence = { 3, "udp/6", 9, 4 }, guards = 22, mode = "observe" }
sesame.door "vpn" { sequence = { 1, "udp/2", 9, 4 }, guards = 22 }
sesame.door "timed" { sequence = { 5, "udp/6", 9, 4 }, guards = 22, when = hours }
sesame.door "admin" { sequence = { 7, "udp/8", 9, 4 }, guards = 443, when = ` + when + ` }`}), scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(lint.Check(set), func(f lint.Finding) bool { return f.ID == lint.NoWayBack })
		if got != want {
			t.Errorf("when = %s: no way back: %t", when, got)
		}
		set.Close()
	}
}

func TestEffectsShowAccessForAnother(t *testing.T) {
	set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `
local a = sesame.completed { "a", within = "5m" }
sesame.door "a" { sequence = { 1, "udp/2", 9, 4 }, guards = 22 }
sesame.door "b" { sequence = { 5, "udp/6", 9, 4 }, guards = 22, on_open = function(attempt)
  attempt:allow()
  attempt:allow { source = a }
end }`}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	got := lint.Effects(set)[0].Doors[1].Allows
	if len(got) != 2 || got[0].Completed != nil || !slices.Equal(got[1].Completed, []string{"a"}) {
		t.Errorf("allows %+v", got)
	}
}
