package hostiletest

import "fmt"

// loading returns the scripts that do their harm while they load.
func loading() []Script {
	return []Script{
		{Name: "captured variables", Reported: true, Text: "local a; " + repeat("function f() a=1 end ", 12474)},
		{Name: "captured variables in lines", Reported: true, Text: "local a;\n" + repeat("function f() a=1 end\n", 12474)},
		{Name: "commands in a loop", Reported: true, Text: `local n={} for i=1,500 do n[i]="/bin/true" end while true do pcall(sesame.command,n) end`},
		{Name: "networks in a loop", Reported: true, Text: `local n={} for i=1,5000 do n[i]="10."..math.floor(i/250).."."..(i%250)..".0/24" end while true do sesame.networks(n) end`},
		{Name: "many options", Reported: true, Text: `for i=1,20000 do sesame.option("o"..i){type="string",default="x"} end`},
		{Name: "a long key through tables", Reported: true, Text: chain + `while true do local x = chain[key] end`},
		{Name: "long strings compared", Reported: true, Text: key + `local other = ("k"):rep(65534).."k" while true do if key ~= other then error "x" end end`},
		{Name: "an assignment to many targets", Reported: true, Text: `local t={} t.a` + repeat(",t.a", 30000) + " = 1"},

		{Name: "endless loop", Text: `while true do end`},
		{Name: "endless loop in a pcall", Text: `while true do pcall(function() while true do end end) end`},
		{Name: "recursion", Text: `local function f(n) return 1 + f(n + 1) end f(1)`},
		{Name: "recursion in pcalls", Text: `local function f() pcall(f) pcall(f) end while true do f() end`},
		{Name: "doubled strings", Text: `local t = {"x"} while true do pcall(function() t[1] = t[1] .. t[1] end) end`},
		{Name: "many long strings", Text: `local t = {} for i = 1, 1e7 do t[i] = ("x"):rep(60000) .. i end`},
		{Name: "many tables", Text: `local t = {} for i = 1, 1e7 do t[i] = {} end`},
		{Name: "many functions", Text: `local t = {} for i = 1, 1e7 do t[i] = function() return i end end`},
		{Name: "many keys", Text: `local t = {} for i = 1, 1e7 do t["k" .. i] = i end`},
		{Name: "a key written through tables", Text: key + `local t = {} for i = 1, 99 do t = setmetatable({}, {__newindex = t}) end while true do t[key] = 1 end`},
		{Name: "many doors", Text: `for i = 1, 60000 do sesame.door("d" .. i) { sequence = { i, "udp/" .. i, i + 5000 }, guards = 22 } end`},
		{Name: "doors that fail", Text: `while true do pcall(sesame.door, { sequence = { 1, 2, 3 }, guards = 22, nonsense = 1 }) end`},
		{Name: "many listeners", Text: `for i = 1, 60000 do sesame.listen("l" .. i) { on = "udp/" .. i, on_knock = function(k) k:allow { port = 22 } end } end`},
		{Name: "many handlers", Text: `for i = 1, 60000 do sesame.handler("h" .. i, function(t) t:log(t.value) end) end`},
		{Name: "windows in a loop", Text: `while true do sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" } end`},
		{Name: "countries in a loop", Text: `while true do sesame.country { "ES", "PT", "FR", "DE" } end`},
		{Name: "nested conditions", Text: `local c = sesame.networks { "10.0.0.0/8" } for i = 1, 100000 do c = sesame.any { c, c, name = "c" .. i } end sesame.door "d" { sequence = { 1, 2 }, guards = 22, when = c }`},
		{Name: "a sequence without end", Text: `local s = {} for i = 1, 60000 do s[i] = i end sesame.door "d" { sequence = s, guards = 22 }`},
		{Name: "all ports guarded", Text: `local s = {} for i = 1, 65535 do s[i] = i end for i = 1, 100 do sesame.door("d" .. i) { sequence = { i, "udp/7" }, guards = s } end`},
		{Name: "a pattern that goes back", Text: `local s = ("a"):rep(60000) while true do s:find(("a*"):rep(30) .. "b") end`},
		{Name: "replacements", Text: `local s = ("a"):rep(30000) while true do s:gsub("a", "bb") end`},
		{Name: "formats", Text: `while true do ("%99d%99d%99d"):format(1, 2, 3) end`},
		{Name: "joined tables", Text: `local t = {} for i = 1, 6000 do t[i] = "0123456789" end while true do table.concat(t) end`},
		{Name: "sorting without an order", Text: `local t = {} for i = 1, 60000 do t[i] = i % 7 end while true do table.sort(t, function() return true end) end`},
		{Name: "parentheses", Text: "local x = " + repeat("(", 100000) + "1" + repeat(")", 100000)},
		{Name: "tables within tables", Text: "local x = " + repeat("{", 100000) + repeat("}", 100000)},
		{Name: "functions within functions", Text: repeat("function f() ", 20000) + repeat(" end", 20000)},
		{Name: "blocks within blocks", Text: repeat("do ", 100000) + repeat("end ", 100000)},
		{Name: "minus signs", Text: "local x = " + repeat("- ", 300000) + "1"},
		{Name: "a long sum", Text: "local a = 1 local x = a" + repeat("+a", 300000)},
		{Name: "a long join", Text: `local a = "" local x = a` + repeat("..a", 200000)},
		{Name: "many constants", Text: constants(7, 19990)},
		{Name: "many labels", Text: labels(20000)},
		{Name: "long names", Text: repeat("a", 500000) + " = " + repeat("b", 500000)},
		{Name: "zeros", Text: repeat("\x00", 1<<20)},
		{Name: "a long error", Text: `error(("x\n"):rep(30000))`},
		{Name: "lines that are printed", Text: `while true do print(("x"):rep(60000)) end`},
	}
}

// constants returns that many functions, each with so many different numbers.
func constants(functions, each int) string {
	var text []byte
	for f := range functions {
		text = fmt.Appendf(text, "function f%d() return {", f)
		for i := range each {
			text = fmt.Appendf(text, "%d,", f*each+i)
		}
		text = append(text, "} end\n"...)
	}
	return string(text)
}

// labels returns that many labels, and a goto to each.
func labels(count int) string {
	var body []byte
	for i := range count {
		body = fmt.Appendf(body, "goto l%d ::l%d::\n", i, i)
	}
	return string(body)
}
