package sandbox

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

const (
	endless = "the function takes more than 200000 steps: is there a loop that does not end?"
	greedy  = "the function takes more than 200000 steps: make fewer or smaller strings and tables"
	tooLong = "the string would have more than 64 KiB"
	deep    = "the calls are nested too deeply: does a function call itself without end?"
	kept    = "cannot change this table: it was made while loading, and the change would be lost at the next reload; keep state in the store (attempt.store)"
	ours    = "cannot change this table: it is part of the language here"
)

// Each script does its harm in main, and gets no further than want says; "" is a script that does
// no harm.
var hostile = []struct{ name, script, want string }{
	{"endless loop", `function main() while true do end end`, "test.lua:1: " + endless},
	{"endless repeat", `function main() repeat until false end`, "test.lua:1: " + endless},
	{"endless for", `function main() for i = 1, math.huge do end end`, "test.lua:1: " + endless},
	{"endless goto", `function main() ::a:: goto a end`, "test.lua:1: " + endless},
	{"endless tail calls", `local function f() return f() end function main() f() end`, "test.lua:1: " + endless},
	{"endless metamethods", `local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) function main() return t[1] end`, "test.lua:1: " + deep},
	{"pcall around an endless loop", `function main() while true do pcall(function() while true do end end) end end`, "test.lua:1: " + endless},
	{"xpcall around an endless loop", `function main() while true do xpcall(function() while true do end end, print) end end`, "test.lua:1: " + endless},
	{"pcall of pcall", `local function f() return pcall(f) end function main() while true do f() end end`, "test.lua:1: " + endless},
	{"deep pcalls", `local function f(n) local ok, e = pcall(f, n + 1) if not ok then error(e, 0) end end function main() f(1) end`,
		"test.lua:1: more than 20 pcalls within each other"},
	{"recursion", `local function f() return 1 + f() end function main() f() end`, "test.lua:1: " + deep},
	{"caught recursion", `local function f() return 1 + f() end function main() print(pcall(f)) end`, ""},
	{"recursion with many arguments", `local function f(...) return 1 + f(1, 2, 3, ...) end function main() f() end`, "test.lua:1: " + deep},
	{"recursion with growing arguments", `local function f(...) return f(1, ...) end function main() f() end`, "test.lua:1: " + greedy},
	{"error in an error handler", `function main() print(xpcall(error, function() error("again") end)) end`, ""},
	{"error while describing an error", `function main() error(setmetatable({}, {__tostring = function() error("no") end})) end`,
		"test.lua:1: an error was raised with a table: expected a text, or a table with a message"},
	{"endless description of an error", `function main() error(setmetatable({}, {__tostring = function() while true do end end})) end`,
		"test.lua:1: an error was raised with a table: expected a text, or a table with a message"},
	{"doubled string", `function main() local s = "x" for i = 1, 30 do s = s .. s end end`, "test.lua:1: " + tooLong},
	{"many strings", `function main() local t, s = {}, ("x"):rep(60000) for i = 1, 1e6 do t[i] = s .. i end end`, "test.lua:1: " + greedy},
	{"caught memory", `function main() local t, s = {}, ("x"):rep(60000) while true do pcall(function() for i = 1, 1e6 do t[i] = s .. i end end) end end`, "test.lua:1: " + greedy},
	{"rep", `function main() return ("x"):rep(1e9) end`, "test.lua:1: " + tooLong},
	{"rep of rep", `function main() local s = ("x"):rep(6e4) return s:rep(6e4) end`, "test.lua:1: " + tooLong},
	{"rep of nothing", `function main() return (""):rep(1e9) end`, ""},
	{"format", `function main() return ("%99999999d"):format(1) end`, "test.lua:1: string.format: flags, width or precision are too long in '%99999999d'"},
	{"format of long strings", `function main() local s = ("x"):rep(6e4) return ("%s%s"):format(s, s) end`, "test.lua:1: " + tooLong},
	{"concat", `function main() local t, s = {}, ("x"):rep(6e4) for i = 1, 100 do t[i] = s end return table.concat(t) end`, "test.lua:1: " + tooLong},
	{"gsub that grows", `function main() return ("x"):rep(6e4):gsub("x", "yy") end`, "test.lua:1: " + tooLong},
	{"gsub that errs", `function main() return ("x"):gsub("x", function() error("in gsub") end) end`, "test.lua:1: in gsub"},
	{"gsub that does not end", `function main() return ("x"):rep(6e4):gsub("x", function() while true do end end) end`, "test.lua:1: " + endless},
	{"large key", `function main() local t = {} t[60000000] = 1 end`,
		"test.lua:1: integer key 60000000 is too large for a table of 0 items; use a string key, for example tostring(key)"},
	{"very large key", `function main() local t = {} t[2^40] = 1 end`,
		"test.lua:1: integer key 1099511627776 is too large for a table of 0 items; use a string key, for example tostring(key)"},
	{"large key in a constructor", `function main() local t = {[60000000] = 1} end`,
		`test.lua:1: integer key 60000000 is too large for a table; use a string key, for example ["60000000"]`},
	{"large key in one of several", `function main() local t = {} t.a, t[60000000] = 1, 2 end`,
		"test.lua:1: integer key 60000000 is too large for a table of 0 items; use a string key, for example tostring(key)"},
	{"large key by metatable", `function main() local t = {} setmetatable({}, {__newindex = t})[60000000] = 1 end`,
		"test.lua:1: integer key 60000000 is too large for a table of 0 items; use a string key, for example tostring(key)"},
	{"large key by insert", `function main() table.insert({}, 60000000, 1) end`, "test.lua:1: bad argument #2 to insert (position out of bounds)"},
	{"many ports", `function main() local t = {} for i = 1, 10 do t[i] = {[65535] = true} end end`, "test.lua:1: " + greedy},
	{"a port", `function main() local t = {} t[65535] = true return t[65535] end`, ""},
	{"many tables", `function main() local t = {} for i = 1, 1e6 do t[i] = {x = {}} end end`, "test.lua:1: " + greedy},
	{"many keys", `function main() local t = {} for i = 1, 1e6 do t["k" .. i] = i end end`, "test.lua:1: " + greedy},
	{"many functions", `function main() local t = {} for i = 1, 1e6 do t[i] = function() return i end end end`, "test.lua:1: " + greedy},
	{"many local functions", `function main() local t = {} for i = 1, 1e6 do local function f() return i end t[i] = f end end`, "test.lua:1: " + greedy},
	{"unpack", `function main() return unpack({}, 1, 1e9) end`, "test.lua:1: 1000000000 values are too many to return: at most 4000"},
	{"unpack from afar", `function main() return unpack({}, -1e300, 1e300) end`, "test.lua:1: 4294967296 values are too many to return: at most 4000"},
	{"bytes", `function main() return ("x"):rep(6e4):byte(1, -1) end`, "test.lua:1: 60000 values are too many to return: at most 4000"},
	{"length of holes", `function main() local t = {} t[65536] = 1 t[65536] = nil for i = 1, 1e6 do local n = #t end end`, "test.lua:1: " + endless},
	{"next over holes", `function main() local t = {} t[65536] = 1 for i = 1, 1e6 do next(t) end end`, "test.lua:1: " + endless},
	{"next over cleared keys", `function main() local t = {} for i = 1, 5000 do t["k" .. i] = 1 end for i = 1, 4999 do t["k" .. i] = nil end for i = 1, 1e6 do next(t) end end`, "test.lua:1: " + endless},
	{"comparison of long strings", `function main() local a = ("x"):rep(6e4) local b, n = a .. "y", 0 while a < b do n = n + 1 end end`, "test.lua:1: " + endless},
	{"number from a long string", `function main() local s = ("1"):rep(6e4) while true do local n = s + 1 end end`,
		`test.lua:1: cannot do arithmetic with the string "1111111111111111111111111111111111111111...": it is not a number`},
	{"pattern with many quantifiers", `function main() return ("a"):rep(1500):find((".-"):rep(10) .. "b") end`, "test.lua:1: " + endless},
	{"pattern at many places", `function main() return ("a"):rep(6e4):find("a-b") end`, "test.lua:1: " + endless},
	{"balanced pattern", `function main() return ("("):rep(6e4):find("%b()x") end`, "test.lua:1: " + endless},
	{"long pattern", `function main() return ("a"):find(("a?"):rep(3000)) end`, "test.lua:1: the pattern has 6000 bytes: at most 2048"},
	{"many captures", `function main() return ("a"):find(("()"):rep(40)) end`, "test.lua:1: malformed pattern: more than 32 captures"},
	{"sort that contradicts itself", `function main() local t = {} for i = 1, 1000 do t[i] = i % 7 end table.sort(t, function(a, b) return true end) end`, ""},
	{"sort that removes", `function main() local t = {} for i = 1, 100 do t[i] = -i end table.sort(t, function(a, b) table.remove(t) return a < b end) end`, ""},
	{"sort of different things", `function main() table.sort({1, "x", {}}) end`, "test.lua:1: cannot compare string with number"},
	{"sort that does not end", `function main() table.sort({1, 2}, function(a, b) while true do end end) end`, "test.lua:1: " + endless},
	{"metatable that is its own index", `function main() local t = {} t.__index = t setmetatable(t, t) return t.x end`, "test.lua:1: the metatables of __index form a loop"},
	{"metatable that is its own newindex", `function main() local t = {} t.__newindex = t setmetatable(t, t) t.x = 1 end`, "test.lua:1: the metatables of __newindex form a loop"},
	{"metatable of strings", `function main() getmetatable("").__index = nil end`, "test.lua:1: cannot assign field '__index' of a nil value"},
	{"string library", `function main() string.rep = print end`, "test.lua:1: " + ours},
	{"string library by insert", `function main() table.insert(string, 1) end`, "test.lua:1: " + ours},
	{"metatable of a library", `function main() setmetatable(string, {}) end`, "test.lua:1: " + ours},
	{"table of the load", `local t = {} function main() t.x = 1 end`, "test.lua:1: " + kept},
	{"inner table of the load", `local t = {a = {{}}} function main() t.a[1][1] = 1 end`, "test.lua:1: " + kept},
	{"table of the load by remove", `local t = {1} function main() table.remove(t) end`, "test.lua:1: " + kept},
	{"table of the load by sort", `local t = {2, 1} function main() table.sort(t) end`, "test.lua:1: " + kept},
	{"table of the load by metatable", `local t = {} function main() setmetatable({}, {__newindex = t}).x = 1 end`, "test.lua:1: " + kept},
	{"table of the load gets a metatable", `local t = {} function main() setmetatable(t, {}) end`, "test.lua:1: " + kept},
	{"table behind a function", `local function f() local t = {} return function() return t end end local g = f() function main() g().x = 1 end`, "test.lua:1: " + kept},
	{"method of a table of the load", `local t = {} function t:set() self.x = 1 end function main() t:set() end`, "test.lua:1: " + kept},
	{"table that reads a table of the load", `local t = {x = 1} t.__index = t function main() local u = setmetatable({}, t) u.y = u.x end`, ""},
	{"iterator kept", `local next_letter = ("abc"):gmatch(".") function main() next_letter() end`,
		"test.lua:1: an iterator of gmatch cannot be kept for a later call: call gmatch again"},
	{"require in a handler", `function main() require "net" end`, `test.lua:1: require "net" in a function that runs after loading: call require outside of functions`},
	{"text that looks like a format", `function main() error("%d%s%n") end`, "test.lua:1: %d%s%n"},
	{"empty names in the trace", `function main() local t = {[""] = function() error("x", 0) end} pcall(t[""]) t[""]() end`, "test.lua:1: x"},
	{"error without anything", `function main() error() end`, "test.lua:1: an error was raised with a nil value: expected a text"},
	{"error with a function", `function main() error(print) end`, "test.lua:1: an error was raised with a function value: expected a text"},
	{"error with a message", `function main() error({message = "said"}) end`, "test.lua:1: said"},
	{"error with a description", `function main() error(setmetatable({}, {__tostring = function() return "described" end})) end`, "test.lua:1: described"},
	{"very long error", `function main() error(("x"):rep(6e4)) end`, "test.lua:1: " + strings.Repeat("x", maxMessage) + "..."},
}

func TestHostileScripts(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := play(t, Config{}, tt.script)
			runtime.ReadMemStats(&after)
			if got := errorText(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("allocated %d MiB", used>>20)
			}
		})
	}
}

// A script uses the same amount wherever and how often it runs.
func TestUseIsDeterministic(t *testing.T) {
	for _, tt := range hostile {
		first := int64(0)
		for run := range 2 {
			st, err := load(t, Config{}, tt.script)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for call := range 2 {
				if _, err := st.Call(st.Global("main").(*lua.LFunction), 0); st.Broken() {
					t.Fatalf("%s: broke: %v", tt.name, err)
				}
				if run+call == 0 {
					first = st.Steps()
				}
				if got := st.Steps(); got != first {
					t.Errorf("%s: run %d call %d used %v, the first %v", tt.name, run, call, got, first)
				}
			}
		}
	}
}

func TestCausesAreReported(t *testing.T) {
	for _, script := range []string{
		`function main() while true do end end`,
		`function main() local t = {} for i = 1, 1e6 do t[i] = {} end end`,
		`function main() pcall(function() while true do end end) error("not reached") end`,
		`while true do end`,
	} {
		if _, err := play(t, Config{}, script); !errors.Is(err, ErrSteps) {
			t.Errorf("%s: got %v", script, err)
		}
	}
}

// A host function that panics, or a fault of the machine, costs one state and nothing else.
func TestPanicBreaksTheState(t *testing.T) {
	for _, call := range []string{"boom()", "pcall(boom)", "xpcall(boom, print)", "table.sort({2, 1}, boom)", "pcall(pcall, boom)"} {
		st, err := load(t, Config{}, "boom = boom")
		if err == nil {
			t.Fatal("a global was defined by reading it")
		}
		st.State = New(Config{})
		st.SetGlobal("boom", st.L().NewFunction(func(*lua.LState) int {
			var empty []int
			return empty[1]
		}))
		p, err := Compile("test.lua", []byte("function main() "+call+" while true do end end"))
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Run(p); err != nil {
			t.Fatal(err)
		}
		_, err = st.Call(st.Global("main").(*lua.LFunction), 0)
		if !errors.Is(err, ErrBroken) || !st.Broken() {
			t.Errorf("%s: got %v, want a broken state", call, err)
		}
		if _, err := st.Call(st.Global("main").(*lua.LFunction), 0); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: a broken state went on: %v", call, err)
		}
		st.Close()
	}
}
