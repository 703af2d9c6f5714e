package mistake_test

import (
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// allocations returns what loading a script with mistakes allocates.
func allocations(t *testing.T, text string) float64 {
	t.Helper()
	return testing.AllocsPerRun(1, func() {
		set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
		if err == nil {
			set.Close()
		}
	})
}

// TestTheWorkIsLinear: four times the text allocates about four times as much,
// however it is made to be followed.
func TestTheWorkIsLinear(t *testing.T) {
	const door = `sesame.door "d" { sequence = { 1, 2 }, guards = 22, on_open = function(a) BODY end }`
	for name, unit := range map[string]string{
		"unknown methods":     "a:b() ",
		"methods":             "a:log(a.source) ",
		"options":             "a:allow { ttl = 1, prot = 2 } ",
		"aliases":             "do local x = a x:b() end ",
		"calls":               "f(a) ",
		"names in a row":      "sesame.store.x.y.z() ",
		"functions in fields": "t.f = function(x) x:b() end t.f(a) ",
		"nested tables":       "a:log({{{{{}}}}}) ",
	} {
		t.Run(name, func(t *testing.T) {
			text := func(n int) string {
				return "local t = {} local function f(x) x:b() end\n" + strings.Replace(door, "BODY", strings.Repeat(unit, n), 1)
			}
			small, large := allocations(t, text(300)), allocations(t, text(1200))
			if large > 6*small {
				t.Errorf("4 times the text allocates %.1f times as much", large/small)
			}
		})
	}
}

// TestMistakesAreBounded: each file has at most 100.
func TestMistakesAreBounded(t *testing.T) {
	text := `sesame.door "d" { sequence = { 1, 2 }, on_open = function(a) ` + strings.Repeat("a:ban()\n", 1000) + ` end }`
	_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
	problems, ok := err.(source.Problems)
	if !ok || len(problems) != 100 {
		t.Errorf("%d problems, want 100: %v", len(problems), ok)
	}
}

// FuzzMistakes loads any text: nothing crashes, and each problem has a place in
// the text.
func FuzzMistakes(f *testing.F) {
	for _, text := range []string{
		`sesame.door "d" { sequence = { 1, 2 }, on_open = function(a) a:allow { prot = 1 } local b = a b.c.d() end }`,
		`local m = require "m" local t = { f = m.open } function t.g(x) return t.f(x) end sesame.handler("x", t.g)`,
		`local function f(a) f(a) g(a) a.store:set("x", { y = { z } }) end sesame.listen "l" { on = 1, on_knock = f }`,
		"if x = 1 then elif y += 2 // 3 end }, ttl: \"5m\" function f return else if",
		`local c = sesame.any { function(a) return a.b end, not c, nil } sesame.door "e" { sequence = {}, when = { c, nil } }`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{"a.lua": text, "lib/m.lua": "return { open = function(a) a:ban() end }"}
		set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
		var places []source.Place
		if problems, ok := err.(source.Problems); ok {
			for _, p := range problems {
				places = append(places, source.Place{File: p.File, Line: p.Line, Column: p.Column})
			}
		} else if err == nil {
			for _, m := range set.Mistakes {
				places = append(places, m.Place)
			}
			set.Close()
		}
		for _, at := range places {
			if lines := strings.Count(files[at.File], "\n") + 1; at.Line > lines || at.Column > len(files[at.File])+1 {
				t.Errorf("the place %s is outside of the file", at)
			}
		}
	})
}
