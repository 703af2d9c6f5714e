package hostiletest

import (
	"fmt"
	"strings"
)

// calls returns the scripts that do their harm when somebody knocks. Each waits at a port of its
// own, so that all of them may be in one set.
func calls() []Script {
	scripts := []Script{
		{Name: "full commands", Reported: true, Text: `
local n = {"/bin/true"} for i = 2, 64 do n[i] = ("{source}"):rep(510) end
local c = sesame.command(n)
` + open(`for i = 1, 256 do a:exec(c) end`)},
		{Name: "ports beside many sites", Reported: true, Text: manyPorts + open(repeat("if a.payload == 'x' then a:allow { port = { "+numbers(1024)+" } } end\n", 30)+`for i = 1, 256 do a:allow { port = all } end`)},
		{Name: "grants of a network", Reported: true, Text: manyPorts + open(`for i = 1, 60 do a:allow { port = all, prefix4 = 8, ttl = i .. "s" } end`)},
		{Name: "grants in one network", Reported: true, Crowd: 32_000, Text: `sesame.door "NAME" { sequence = { "PORT" }, guards = "tcp/81", ttl = "5s" }`},
		{Name: "values of each source", Reported: true, Text: open(`for i = 1, 200 do a.store:set("k" .. i, ("v"):rep(1000)) end`)},
		{Name: "a long key in a condition", Reported: true, Text: chain + `sesame.door "NAME" { sequence = { "PORT" }, guards = "tcp/81", when = function(a) while true do local x = chain[key] end return true end }`},

		{Name: "endless call", Text: open(`while true do end`)},
		{Name: "endless call in a pcall", Text: open(`while true do pcall(function() while true do end end) end`)},
		{Name: "a call that collects strings", Text: open(`local t = {} for i = 1, 1e7 do t[i] = ("x"):rep(60000) .. i end`)},
		{Name: "common values", Text: open(`for i = 1, 256 do sesame.store:set("k" .. i .. tostring(a.source), ("v"):rep(1000)) end`)},
		{Name: "many delays", Text: `sesame.handler("h", function(t) for i = 1, 256 do t:after("1s", "h", i) end end)
` + open(`for i = 1, 256 do a:after("1s", "h", i) end`)},
		{Name: "long lines of the log", Text: open(`for i = 1, 256 do a:log(("x"):rep(60000)) end`)},
		{Name: "a long error of a call", Text: open(`error(("x\n"):rep(30000))`)},
		{Name: "a pattern against a payload", Text: `sesame.listen "NAME" { on = { "PORT" }, on_knock = function(k) while true do (k.payload .. ("a"):rep(60000)):find(("a*"):rep(30) .. "b") end end }`},
		{Name: "a close that never ends", Text: `sesame.door "NAME" { sequence = { "PORT" }, guards = "tcp/81", ttl = "1s", on_close = function(g) while true do end end }`},
		{Name: "commands that are slow", Text: `local c = sesame.command { "/bin/sleep", "2", timeout = "3s" }
` + open(`for i = 1, 200 do pcall(a.exec, a, c) end`)},
	}
	for i := range scripts {
		scripts[i].Knock = fmt.Sprintf("udp/%d", 20001+i)
		scripts[i].Text = strings.NewReplacer("PORT", scripts[i].Knock, "NAME", fmt.Sprintf("hostile%d", i)).Replace(scripts[i].Text)
	}
	return scripts
}

// manyPorts is the list all, of as many ports as an allow takes.
const manyPorts = `local all = {} for i = 1, 1024 do all[i] = "tcp/" .. (30000 + i) end` + "\n"

// open is a door whose function has this body.
func open(body string) string {
	return `sesame.door "NAME" { sequence = { "PORT" }, guards = "tcp/81", ttl = "2s", on_open = function(a) ` + body + ` end }`
}

// numbers returns the first numbers, with commas between them.
func numbers(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return strings.Join(all, ",")
}
