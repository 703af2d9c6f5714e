package sandbox

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// play loads a script, calls the global function "main" when it has one, and returns what was printed, and the error.
func play(t testing.TB, cfg Config, source string) (string, error) {
	t.Helper()
	var out strings.Builder
	cfg.Print = func(_ int, text string) { out.WriteString(text + "\n") }
	p, err := Compile("test.lua", []byte(source))
	if err != nil {
		return "", err
	}
	s := New(cfg)
	defer s.Close()
	if err := s.Run(p); err != nil {
		return out.String(), err
	}
	if fn, ok := s.Global("main").(*lua.LFunction); ok {
		_, err = s.Call(fn, 0)
	}
	if s.Broken() {
		t.Errorf("the machine broke: %v", err)
	}
	return out.String(), err
}
func TestScratch(t *testing.T) {
	for _, src := range []string{
		`print(1, "a", nil, true, {}, print, 1/0, 0.1, 2^53, 1e100)`,
		`local t = {1,2,3,x=5,[10]=4} t.y = 7 t[4]=4 t.z, t[5] = "z", 5 for k,v in pairs(t) do print(k,v) end print(#t)`,
		`function f(...) local a, b = ... return select("#", ...), a .. b end print(f("x", "y", 3))`,
		`local s = "a" for i=1,30 do s = s .. s end`,
		`local t = {} t[60000000]=1`,
		`while true do pcall(function() while true do end end) end`,
		`function main() local n = 0 local function inc() n = n + 1 end pcall(error, "x") inc() print(n) end`,
		`local a = {} function main() a.x = 1 end`,
		`local n = 0 function main() n = n + 1 end`,
		`local function mk() local n = 0 return function() n = n + 1 return n end end local c = mk() print(c()) function main() print(c()) end`,
		`print(("x"):rep(3), ("hello world"):gsub("o", "0"), ("a=1, b=2"):match("(%w)=(%d)"))`,
		`for k, v in ("a=1, b=2"):gmatch("(%w)=(%d)") do print(k, v) end`,
		`print(string.format("%5.2f|%d|%s|%q|%x", 3.14159, 42, "hi", 'a"b', 255))`,
		`error({message="m"})`, `error(setmetatable({}, {__tostring=function() return "T" end}))`,
		`error("boom")`, `local function f() error("boom", 2) end
f()`, `os.time()`, `x = os`, `foo()`, `function main() bar() end`,
		"local t = nil\nt.x = 5", "local t\nprint(t.x)", "return 1 .. nil", "return 1 < 'x'",
		`local function f() return f() + 1 end f()`,
		`local function f(...) return f(1,...) end f()`,
		`local t = {5,3,1} table.sort(t) print(table.concat(t, ",")) table.sort(t, function(a,b) return true end)`,
		`print(unpack({1,2,3})) unpack({1},1,1e9)`,
		`string = nil`, `print = 5`, `x = 1 x = 2 print(x)`,
		`print(("\1\2\3\4abc"):unpack(">I4 A3"))`,
		`local t = setmetatable({}, {__index = function(t,k) return k .. "!" end}) print(t.foo, t[5])`,
		`local t = {} t.__index = t setmetatable(t,t) print(t.x)`,
		`goto done do print(1) end ::done:: print(2)`,
		`for i=1,3 do if i==2 then goto continue end print(i) ::continue:: end`,
		`print(pcall(error, {1}))  print(select(2, pcall(error, "x", 0))) print(xpcall(function() error("a",0) end, function(e) return e.."b" end))`,
		`string.find(("a"):rep(3000), (".-"):rep(20).."b")`,
	} {
		out, err := play(t, Config{}, src)
		t.Logf("%s\n%s%v", src, out, err)
		if e, ok := err.(*Error); ok {
			t.Log(e.Detail())
		}
	}
}
