package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
)

// Each script prints what Lua 5.1 prints, or what libraries.go says instead.
func TestLibraries(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`print(("abc"):byte(), ("abc"):byte(2), ("abc"):byte(-1), ("abc"):byte(1, -1))`, "97\t98\t99\t97\t98\t99"},
		{`print(("abc"):byte(10), ("abc"):byte(3, 2), (""):byte())`, "nil\tnil"},
		{`print(string.char(104, 105), string.char(), #string.char(0, 255))`, "hi\t\t2"},
		{`print(("hello"):sub(2), ("hello"):sub(-3, -2), ("hello"):sub(0), ("hello"):sub(4, 2), ("hello"):sub(2, 100), ("hello"):sub(-100, 2), ("x"):sub(3))`,
			"ello\tll\thello\t\tello\the\t"},
		{`print(("Hé"):upper(), ("HÉ"):lower(), ("abc"):reverse(), ("ab"):rep(3), ("ab"):rep(0), ("ab"):rep(-1), ("abc"):len())`, "Hé\thÉ\tcba\tababab\t\t\t3"},
		{`print(("hello world"):find("wor"), ("hello"):find("l", 1, true), ("hello"):find("xyz"), ("a.b"):find(".", 1, true), ("hello"):find(""), ("hello"):find("", 10))`,
			"7\t3\tnil\t2\t1\t6\t5"},
		{`print(("hello"):find("(l)(l)"), ("key = value"):match("^(%w+)%s*=%s*(%w+)$"))`, "3\tkey\tvalue"},
		{`print(("hello"):find("(l)(l)"))`, "3\t4\tl\tl"},
		{`print(("hello"):match(".-(l+)(.*)"), ("hello"):match("x"), ("hello"):match("l", -2), ("  trim "):match("^%s*(.-)%s*$") .. "|")`, "ll\tnil\tl\ttrim|"},
		{`print(("2024-01-02"):match("(%d+)-(%d+)-(%d+)"))`, "2024\t01\t02"},
		{`print(("hello world"):gsub("o", "0", 1)) print(("hello"):gsub("", "-")) print(("abc"):gsub("%w", "%0%0")) print(("abc"):gsub("(a)(b)", "%2%1"))`,
			"hell0 world\t1\n-h-e-l-l-o-\t6\naabbcc\t3\nbac\t1"},
		{`print(("hello world"):gsub("%w+", {hello = "bye", world = false})) print(("a b"):gsub("%w", function(c) if c == "a" then return 1 end end))`, "bye world\t2\n1 b\t2"},
		{`print(("abc"):gsub("()", "%1")) print(("x = 1"):gsub("^%w", "y")) print(("aaa"):gsub("^a", "b")) print(("%d"):gsub("%%d", "%%s"))`, "1a2b3c4\t4\ny = 1\t1\nbaa\t1\n%s\t1"},
		{`for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do print(k, v) end for w in ("one two"):gmatch("%a+") do print(w) end for p in ("ab"):gmatch("()") do print(p) end`,
			"a\t1\nb\t2\none\ntwo\n1\n2\n3"},
		{`for w in ("^a^a"):gmatch("^a") do print(w) end`, "^a\n^a"},
		{`print(("%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o"):format(42, 42, 42, 42, 42, 255, 255, 255, 8))`, "   42|42   |00042|+42| 42|ff|FF|0xff|10"},
		{`print(("%.2f|%5.1f|%e|%g|%g|%g|%g"):format(3.14159, 2.25, 12345.678, 0.1, 100000, 1e20, 1e15))`, "3.14|  2.2|1.234568e+04|0.1|100000|1e+20|1e+15"},
		{`print(("%s|%10s|%-10s|%.2s|%c%c"):format("x", "right", "left", "cut", 72, 105))`, "x|     right|left      |cu|Hi"},
		{`print(("%s %s %s %s %%"):format(nil, true, {}, print)) print(("%5s|"):format("é")) print(("%f %f %5.1f"):format(1/0, -1/0, 0/0))`, "nil true table function %\n   é|\ninf -inf   nan"},
		{`print(("%d %d %i %u"):format(3.7, -3.7, "12", 7), ("%x"):format(-1))`, "3 -3 12 7\tffffffffffffffff"},
		{`print(("%q"):format('a"b\\c\nd\0e\rf'))`, "\"a\\\"b\\\\c\\\nd\\000e\\rf\""},
		{`print(tostring(1), tostring(1.5), tostring(-0), 1e15, 2^53, 2^63, 1e100, 0.1 + 0.2, 1/3, -1/0, 0/0 ~= 0/0)`,
			"1\t1.5\t0\t1000000000000000\t9007199254740992\t9.223372036854776e+18\t1e+100\t0.30000000000000004\t0.3333333333333333\t-inf\ttrue"},
		{`print(tonumber("10"), tonumber(" 0x1F "), tonumber("1e2"), tonumber("-.5"), tonumber("10", 2), tonumber("zz", 36), tonumber("8", 8), tonumber(""), tonumber("1_000"), tonumber("0b1"), tonumber("inf"), tonumber("1e"), tonumber({}), tonumber("010"))`,
			"10\t31\t100\t-0.5\t2\t1295\tnil\tnil\tnil\tnil\tnil\tnil\tnil\t10"},
		{`print("10" + 5, "3" * "4", -"2", "2" ^ 2, 10 % "4", -5 % 3, 5 % -3, 5.5 % 2)`, "15\t12\t-2\t4\t2\t1\t-1\t1.5"},
		{`print(type(nil), type(1), type("x"), type({}), type(print), type(true))`, "nil\tnumber\tstring\ttable\tfunction\tboolean"},
		{`print(select("#"), select("#", nil, nil), select(2, "a", "b", "c"), select(-1, "a", "b"), (select(3, 1, 2)))`, "0\t2\tb\tb\tnil"},
		{`print(select(2, "a", "b", "c")) print(pcall(select, 0)) print(pcall(select, -2, 1))`, "b\tc\nfalse\tbad argument #1 to main chunk (index out of range)\nfalse\tbad argument #1 to main chunk (index out of range)"},
		{`print(unpack({1, 2, 3})) print(unpack({1, 2, 3}, 2)) print(unpack({1, 2, 3}, 2, 5)) print(table.unpack({}))`, "1\t2\t3\n2\t3\n2\t3\tnil\tnil\n"},
		{`print(next({}), next({10}), next({x = 1})) print(pcall(next, {}, "nokey"))`, "nil\t1\tx\t1\ntrue\tnil"},
		{`print(rawequal("a", "a"), rawequal({}, {}), rawget({x = 1}, "x"), rawget(setmetatable({}, {__index = print}), "y"))`, "true\tfalse\t1\tnil"},
		{`print(pcall(error, "x", 0)) print(pcall(error)) print(pcall(nil)) print(pcall(function() return 1, nil, 3 end)) print(select("#", pcall(function() return 1, nil end)))`,
			"false\tx\nfalse\tnil\nfalse\tattempt to call a nil value\ntrue\t1\tnil\t3\n3"},
		{`print(pcall(error, {code = 7})) print(select(2, pcall(error, {code = 7})).code)`, "false\ttable\n7"},
		{`print(xpcall(function() error("a", 0) end, function(e) return e .. "!" end)) print(xpcall(function() return 1, 2 end, print)) print(xpcall(function(a) return a end, print, 5))`,
			"false\ta!\ntrue\t1\t2\ntrue\t5"},
		{`print(pcall(assert, false)) print(pcall(assert, nil, "said")) print(assert(1, 2, 3)) print(select(2, pcall(assert, false, {1}))[1])`, "false\tassertion failed\nfalse\tsaid\n1\t2\t3\n1"},
		{`print(getmetatable("").__index)`, "error: test.lua:1: attempt to read field '__index' of a nil value"},
		{`print(getmetatable({}), getmetatable(string), getmetatable(setmetatable({}, {__metatable = "mine"})))`, "nil\tfalse\tmine"},
		{`setmetatable(setmetatable({}, {__metatable = 1}), {})`, "error: test.lua:1: cannot change a protected metatable"},
		{`print(tostring(setmetatable({}, {__tostring = function() return "me" end})), setmetatable({}, {__tostring = function() return "me" end}))`, "me\tme"},
		{`print(table.concat({1, 2, "x"}), table.concat({1, 2, 3}, ", "), table.concat({1, 2, 3}, "-", 2), table.concat({1, 2, 3}, "-", 2, 2), table.concat({}, "x"))`, "12x\t1, 2, 3\t2-3\t2\t"},
		{`table.concat({1, {}, 3})`, "error: test.lua:1: cannot concatenate item 2 of the table: it is a table value"},
		{`local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) table.insert(t, 5, 9) print(table.concat(t, ","), table.remove(t), table.remove(t, 1), table.concat(t, ","), table.remove({}))`,
			"0,1,2,3,9\t9\t0\t1,2,3\tnil"},
		{`table.insert({}, 1, 2, 3)`, "error: test.lua:1: table.insert takes a table, perhaps a position, and a value"},
		{`local t = {3, 1, 2} table.sort(t) print(table.concat(t, ",")) table.sort(t, function(a, b) return a > b end) print(table.concat(t, ",")) local s = {"b", "a", "B"} table.sort(s) print(table.concat(s, ","))`,
			"1,2,3\n3,2,1\nB,a,b"},
		{`print(table.maxn({1, 2, nil, 4}), table.maxn({[2.5] = 1}), table.maxn({}))`, "4\t2.5\t0"},
		{`print(math.floor(-1.5), math.ceil(1.2), math.abs(-3), math.max(1, 5, 3), math.min(4, 2), math.fmod(-5, 3), math.modf(3.7))`, "-2\t2\t3\t5\t2\t-2\t3\t0.7000000000000002"},
		{`print(math.pi, math.huge, -math.huge, math.sqrt(16), math.pow(2, 10), math.ldexp(1, 4), math.frexp(8), math.deg(math.pi), math.rad(180) == math.pi)`,
			"3.141592653589793\tinf\t-inf\t4\t1024\t16\t0.5\t180\ttrue"},
		{`print(math.random(), math.random(10), math.random(5, 6), math.random(1, 1))`, "0.5\t6\t6\t1"},
		{`math.random(0)`, "error: test.lua:1: bad argument #1 to random (the interval is empty)"},
		{`for k in pairs(math) do if k == "pi" then print(k) end end print(#string, (next(table)))`, "pi\n0\tconcat"},
		{`local t = {} t.b = 1 t.a = 2 t[1] = 3 t.b = nil t.c = 4 t.b = 5 for k, v in pairs(t) do print(k, v) end`, "1\t3\nb\t5\na\t2\nc\t4"},
		{`print(string.tirm("x"))`, "error: test.lua:1: string.tirm does not exist"},
		{`print(("x"):tirm())`, "error: test.lua:1: string.tirm does not exist"},
		{`local name = "random" .. "seed" math[name](1)`, "error: test.lua:1: math.randomseed does not exist here: math.random is seeded by the host, so that a replay draws the same numbers"},
		{`print(_VERSION)`, "Lua 5.1"},
		{`string.rep()`, "error: test.lua:1: bad argument #1 to rep (string expected, got nil)"},
		{`("x"):rep("y")`, "error: test.lua:1: bad argument #2 to rep (number expected, got string)"},
		{`("x"):gsub("x", "%2")`, "error: test.lua:1: the replacement names capture %2: the pattern has 0"},
		{`("x"):gsub("x", "%x")`, "error: test.lua:1: invalid use of '%' in the replacement: write '%%' for a percent sign"},
		{`("x"):gsub("x", "%")`, "error: test.lua:1: invalid use of '%' in the replacement: write '%%' for a percent sign"},
		{`("x"):gsub("x", function() return {} end)`, "error: test.lua:1: gsub cannot replace with a table value"},
		{`("%d"):format()`, "error: test.lua:1: bad argument #2 to format (no value for '%d')"},
		{`("%y"):format(1)`, "error: test.lua:1: string.format: there is no conversion '%y'"},
		{`("%d"):format(1e300)`, "error: test.lua:1: bad argument #2 to format (the number 1e+300 is no integer of 64 bits)"},
		{`("%"):format(1)`, "error: test.lua:1: string.format: the format ends within '%'"},
		{`("x"):find("[x")`, "error: test.lua:1: malformed pattern: ']' is missing for '['"},
		{`string.char(256)`, "error: test.lua:1: bad argument #1 to char (expected 0 to 255)"},
		{`local t = {} t[nil] = 1`, "error: test.lua:1: a table cannot have nil as a key"},
		{`local t = {} t[0/0] = 1`, "error: test.lua:1: a table cannot have not-a-number as a key"},
		{`local t = {[0/0] = 1}`, "error: test.lua:1: a table cannot have not-a-number as a key"},
		{`local t = {[(nil)] = 1}`, "error: test.lua:1: a table cannot have nil as a key"},
		{`local x = 1 + nil`, "error: test.lua:1: cannot do arithmetic (add) with number and nil"},
		{`local x = "a" + 1`, `error: test.lua:1: cannot do arithmetic with the string "a": it is not a number`},
		{`local x = "1" + {}`, "error: test.lua:1: cannot do arithmetic with a table value"},
		{`local x = -{}`, "error: test.lua:1: cannot negate a value that is not a number"},
		{`local x = #5`, "error: test.lua:1: cannot take the length of a value that is neither string nor table"},
		{`local x x()`, "error: test.lua:1: attempt to call a value that is not a function"},
		{`local x = {} < {}`, "error: test.lua:1: cannot compare two table values"},
		{`local a, b = 1, "x" local x = a < b`, "error: test.lua:1: cannot compare number with string"},
	} {
		got, err := play(t, Config{Random: func() float64 { return 0.5 }}, tt.script)
		if err != nil {
			got += "error: " + err.Error()
		}
		if got = strings.TrimSuffix(got, "\n"); got != tt.want {
			t.Errorf("%s\ngot  %q\nwant %q", tt.script, got, tt.want)
		}
	}
}

func TestNothingReachesTheMachine(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	var names []string
	for key, value := s.l.G.Global.Next(lua.LNil); key != lua.LNil; key, value = s.l.G.Global.Next(key) {
		names = append(names, key.String())
		if library, ok := value.(*lua.LTable); ok {
			for inner, _ := library.Next(lua.LNil); inner != lua.LNil; inner, _ = library.Next(inner) {
				names = append(names, key.String()+"."+inner.String())
			}
		}
	}
	want := strings.Fields(`assert error getmetatable ipairs next pairs pcall print rawequal rawget require select setmetatable tonumber tostring type unpack xpcall
		string string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower string.match string.rep string.reverse string.sub string.unpack string.upper
		table table.concat table.insert table.maxn table.remove table.sort table.unpack
		math math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh math.deg math.exp math.floor math.fmod math.frexp math.ldexp math.log math.log10 math.max math.min
		math.mod math.modf math.pow math.rad math.random math.sin math.sinh math.sqrt math.tan math.tanh math.huge math.pi _VERSION`)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("globals (-want +got):\n%s", diff)
	}
}

// The private fields that table_layout.go reads mean what it says.
func TestTableLayout(t *testing.T) {
	table := (&lua.LState{}).CreateTable(0, 0)
	for i := 1; i <= 5; i++ {
		table.RawSetInt(i, lua.LNumber(i))
	}
	table.RawSetString("a", lua.LTrue)
	table.RawSetString("b", lua.LTrue)
	table.RawSet(lua.LTrue, lua.LTrue)
	table.RawSetString("a", lua.LNil)
	if all, gone := keyCounts(table); arrayLen(table) != 5 || all != 3 || gone != 1 {
		t.Errorf("array of %d, %d keys, %d gone: expected 5, 3, 1", arrayLen(table), all, gone)
	}
}
