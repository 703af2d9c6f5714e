package scripting_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/sandbox"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// Each of these makes the program do as much as it can while it loads. All end in one message that
// says so, after a number of turns that the steps bound, and what they allocate is bounded too.
func TestLoadingIsBounded(t *testing.T) {
	const list = `local n = {} for i = 1, 5000 do n[i] = "10." .. math.floor(i / 250) .. "." .. (i % 250) .. ".0/24" end `
	for name, text := range map[string]string{
		"commands of too many arguments": `local n = {} for i = 1, 500 do n[i] = "/bin/true" end while true do pcall(sesame.command, n) end`,
		"commands":                       `local n = {} for i = 1, 64 do n[i] = "/bin/true" end while true do sesame.command(n) end`,
		"commands of many placeholders":  `local n = {} for i = 1, 64 do n[i] = i == 1 and "/bin/true" or ("{door}"):rep(680) end while true do sesame.command(n) end`,
		"commands of braces":             `local n = {} for i = 1, 64 do n[i] = i == 1 and "/bin/true" or ("{{"):rep(2000) end while true do sesame.command(n) end`,
		"commands with an unknown word":  `while true do pcall(sesame.command, { "/bin/true", "{sourc}" }) end`,
		"networks":                       list + `while true do sesame.networks(n) end`,
		"networks that are kept":         list + `local t = {} while true do n.name = "n" .. #t t[#t+1] = sesame.networks(n) end`,
		"networks that are wrong":        `local n = {} for i = 1, 5000 do n[i] = "10" end while true do pcall(sesame.networks, n) end`,
		"options":                        `local i = 0 while true do i = i + 1 sesame.option("o" .. i) { type = "string", default = "x" } end`,
		"doors":                          `local i = 0 while true do i = i + 1 sesame.door("d" .. i) { sequence = { 1, 2, 3 }, guards = 22 } end`,
		"doors of one name":              `while true do sesame.door "d" { sequence = { 1, 2, 3 }, guards = 22 } end`,
		"doors with a long function": `while true do sesame.door "d" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) ` +
			strings.Repeat("attempt:log 'x' ", 5000) + ` end } end`,
		"windows":            `while true do pcall(sesame.window, { from = "08:00", to = "18:00", zone = "Europe/Madrid" }) end`,
		"handlers":           `local i = 0 while true do i = i + 1 sesame.handler("h" .. i, function() end) end`,
		"unknown options":    `while true do pcall(sesame.networks, { nam = "x" }) end`,
		"unknown members":    `while true do pcall(function() return sesame.netwoks end) end`,
		"holes":              `local n = { "10.0.0.0/8" } n[60000] = "x" while true do pcall(sesame.networks, n) end`,
		"calls in one line":  strings.Repeat("sesame.networks { '10.0.0.0/8', name = 'x' } ", 6000) + `while true do pcall(sesame.networks, { '10.0.0.0/8', name = "x" }) end`,
		"a line of one word": "local aaaaaaaa = {} while true do pcall(sesame.networks, { " + strings.Repeat("aaaaaaaa, ", 5000) + "}) end",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
			runtime.ReadMemStats(&after)
			problems, _ := errors.AsType[source.Problems](err)
			if n := strings.Count(problems.Error(), "all files together take more than 3500000 steps to load"); n != 1 && len(problems) < source.MaxProblems {
				t.Errorf("%d messages in %d problems, of which the last is %v", n, len(problems), problems[len(problems)-1])
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 600 {
				t.Errorf("allocated %d MiB", used)
			}
		})
	}
}

// The files of a set have one budget. What comes when it is spent is not looked at, and whether a
// set loads does not depend on what was loaded before it.
func TestFilesOfASetShareABudget(t *testing.T) {
	files, compiled := map[string]string{}, map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("lib/d%d.lua", i)] = "return { " + strings.Repeat("{a=1}, ", 10_000) + "}"
		files[fmt.Sprintf("%02d.lua", i)] = fmt.Sprintf("require 'd%d'", i)
		compiled[fmt.Sprintf("%02d.lua", i)] = "function f() local x return { x, " + numbers(8000) + "} end"
	}
	for name, set := range map[string]map[string]string{"modules of data": files, "constants": compiled} {
		t.Run(name, func(t *testing.T) {
			of := sourcetest.Files(set)
			_, first := scripting.Load(of, scripting.Options{})
			problems, _ := errors.AsType[source.Problems](first)
			if len(problems) != 1 || !errors.Is(first, sandbox.ErrSteps) {
				t.Fatalf("%d problems: %v", len(problems), first)
			}
			_, again := scripting.Load(of, scripting.Options{})
			if again == nil || again.Error() != first.Error() {
				t.Errorf("at first %v, then %v", first, again)
			}
		})
	}
}

// A list that is too long for a script is told where it may be.
func TestALongListIsSentToAFile(t *testing.T) {
	_, err := scripting.Load(sourcetest.Files(map[string]string{
		"a.lua":        `sesame.networks(require "list")`,
		"lib/list.lua": "return { " + strings.Repeat("'2001:db8::/64',", 220_000) + "}",
	}), scripting.Options{})
	if err == nil || !strings.Contains(err.Error(), `Write a long list into a file of its own, such as file = "lists/office.txt"`) {
		t.Errorf("got %.300v", err)
	}
}

func numbers(n int) string { return strings.TrimSuffix(repeated(n, "%d,"), ",") }

// A set that is large and honest loads.
func TestLargeSets(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"doors":   {"a.lua": `for i = 1, 2000 do sesame.door("d" .. i) { sequence = { 1000, 2000, 3000 }, guards = 22, within = "5s", on_open = function(a) a:allow() end } end`},
		"scripts": manyScripts(200),
		"a list in a module": {"a.lua": `sesame.networks(require "list")`,
			"lib/list.lua": "return { " + repeated(65_000, "'2001:db8:0:%x::/64',") + "}"},
		"records in a module": {"a.lua": `local d = require "records" assert(d[50000].port == 49999)`,
			"lib/records.lua": "return { " + repeated(50_000, "{ port = %d, name = 'host' },") + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
			if err != nil {
				t.Fatal(err)
			}
			set.Close()
		})
	}
}

// manyScripts returns scripts of some doors each, with functions.
func manyScripts(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		var b strings.Builder
		for j := range 5 {
			fmt.Fprintf(&b, "sesame.door \"d%d-%d\" { sequence = { 1000, 2000, 3000 }, guards = 22, on_open = function(attempt)\n", i, j)
			b.WriteString(strings.Repeat("  if attempt.family == 'ipv4' then attempt:log('from ' .. attempt.source) end\n", 20) + "  attempt:allow()\nend }\n")
		}
		files[fmt.Sprintf("%03d.lua", i)] = b.String()
	}
	return files
}
