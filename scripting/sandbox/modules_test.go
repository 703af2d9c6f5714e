package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// library serves modules from a map, as "lib/NAME.lua".
func library(sources map[string]string) func(string) (*Program, error) {
	return func(name string) (*Program, error) {
		source, ok := sources[name]
		if !ok {
			return nil, fmt.Errorf("there is no module %q", name)
		}
		return Compile("lib/"+name+".lua", []byte(source))
	}
}

func TestRequire(t *testing.T) {
	sources := map[string]string{
		"net":     `print("loading net") local M = {count = 1} function M.port(n) return "tcp/" .. n end return M`,
		"table":   `local list = {} local M = {} function M.add(x) list[#list + 1] = x end function M.size() return #list end return M`,
		"counter": `local function make() local n = 0 return function() n = n + 1 return n end end return {next = make()}`,
		"nothing": `x_helper = function() return "help" end`,
		"a":       `return require "b"`,
		"b":       `return require "c"`,
		"c":       `return require "b"`,
		"self":    `return require "self"`,
		"bad":     "local x = \nend",
		"raises":  "\n\nerror('in the module')",
		"endless": `while true do end`,
		"typo":    "return {f = function()\n  return undefined_name\nend}",
	}
	for _, tt := range []struct{ name, script, want string }{
		{"a module runs once", `local a, b = require "net", require "net" print(a == b, a.port(22))`, "loading net\ntrue\ttcp/22\n"},
		{"a module is there in handlers", `local net = require "net" function main() print(net.port(1), require("net") == net) end`, "loading net\ntcp/1\ttrue\n"},
		{"a module without a result", `print(require "nothing", x_helper())`, "true\thelp\n"},
		{"a module is read-only", `require("net").count = 2`, "loading net\nerror: test.lua:1: " + kept},
		{"a module fills itself while loading", `local t = require "table" t.add(1) t.add(2) print(t.size())`, "2\n"},
		{"a module does not fill itself later", `local t = require "table" t.add(1) function main() t.add(2) end`, "error: lib/table.lua:1: " + kept + " (called from test.lua:1)"},
		{"a module that raises in a handler", "local n = require 'net'\nfunction main()\n  n.port({})\nend", "loading net\nerror: lib/net.lua:1: cannot concatenate a table value (called from test.lua:3)"},
		{"a module that raises in a pcall in a handler", "local n = require 'net'\nfunction main() print(pcall(n.port, {})) end", "loading net\nfalse\tlib/net.lua:1: cannot concatenate a table value\n"},
		{"a function of a module as a handler", "main = require('net').port", "loading net\nerror: lib/net.lua:1: cannot concatenate a nil value"},
		{"a module counts while loading", `local c = require "counter" print(c.next(), c.next()) function main() print(c.next()) end`,
			"1\t2\n3\nerror: lib/counter.lua:1: " + `the variable "n" was changed by this function, which was made while loading; the change would be lost at the next reload: keep state in the store (attempt.store)`},
		{"a cycle", `require "a"`, "error: lib/c.lua:1: modules require each other: b requires c requires b (called from lib/b.lua:1)"},
		{"a module that requires itself", `require "self"`, "error: lib/self.lua:1: modules require each other: self requires self (called from test.lua:1)"},
		{"an unknown module", "\nrequire 'nope'", `error: test.lua:2: there is no module "nope"`},
		{"an unknown module, caught", "print(pcall(require, 'nope'))", "false\tthere is no module \"nope\"\n"},
		{"a module with a syntax error", `require "bad"`, "error: lib/bad.lua:2:1: unexpected 'end'"},
		{"a module that raises", `require "raises"`, "error: lib/raises.lua:3: in the module (called from test.lua:1)"},
		{"a module that does not end", `require "endless"`, "error: lib/endless.lua:1: all files together take more than 100000 steps to load: is there a loop that does not end?" + longList + " (called from test.lua:1)"},
		{"a module with an undefined name", `require "typo"`, `error: lib/typo.lua:2:10: "undefined_name" is not defined`},
		{"a module by a number", `require(nil)`, "error: test.lua:1: bad argument #1 to require (string expected, got nil)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := play(t, Config{Require: library(sources), Load: NewBudget(100_000)}, tt.script)
			if err != nil {
				got += "error: " + err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if _, err := play(t, Config{}, `require "net"`); errorText(err) != `test.lua:1: require "net": there are no modules here` {
		t.Errorf("without modules: %v", err)
	}
}

func TestJoinedErrorsOfAModuleComeThrough(t *testing.T) {
	require := library(map[string]string{"two": "local n\nfunction f() n = 1 end\nfunction g() n = 2 end"})
	_, err := play(t, Config{Require: require}, `require "two"`)
	if got := strings.Count(errorText(err), "lib/two.lua:"); got != 2 {
		t.Errorf("got %v, want two errors of lib/two.lua", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Line != 2 || e.SourceLine == "" {
		t.Errorf("the first error is %+v", e)
	}
}

func TestScripts(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"a helper for the whole script", `function helper(x) return x .. "!" end function main() print(helper("hi")) end`, "hi!\n"},
		{"a global without a value", `option = nil function main() print(option) end`, "nil\n"},
		{"an undefined global in a handler", "function main()\n  print(helpr(1))\nend", `error: test.lua:2:9: "helpr" is not defined`},
		{"an undefined global while loading", "print(helpr(1))", `error: test.lua:1:7: "helpr" is not defined`},
		{"a library is not replaced", "string = {}", `error: test.lua:1: cannot assign the global "string": it is part of the language here`},
		{"a function of the library is not replaced", "function print() end", `error: test.lua:1: cannot assign the global "print": it is part of the language here`},
		{"a local may have any name", `local print2, string = print, {rep = 1} print2(string.rep) local os = {time = 2} print2(os.time)`, "1\n2\n"},
		{"a table that a call makes", `function main() local t = {} t.x, t[1] = 1, 2 table.insert(t, 3) print(t.x, #t) end`, "1\t2\n"},
		{"a closure that a call makes", `function main() local n = 0 local function inc() n = n + 1 end inc() inc() print(n) end`, "2\n"},
		{"a captured variable after an error that was caught", `function main() local n = 0 local function inc() n = n + 1 end pcall(error) inc() n = n + 10 inc() print(n) end`, "12\n"},
		{"objects", `local Point = {} Point.__index = Point function Point.new(x) return setmetatable({x = x}, Point) end function Point:move(d) self.x = self.x + d return self end
			function main() print(Point.new(1):move(2).x) end`, "3\n"},
		{"a counter made while loading", `local function counter() local n = 0 return function() n = n + 1 return n end end local c = counter() function main() c() end`,
			`error: test.lua:1: the variable "n" was changed by this function, which was made while loading; the change would be lost at the next reload: keep state in the store (attempt.store)`},
		{"print passes its line", "\n\nprint('x')", "x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := play(t, Config{}, tt.script)
			if err != nil {
				got += "error: " + err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// What one call changes in captured variables the next one does not see.
func TestCallsStartAlike(t *testing.T) {
	st, err := load(t, Config{}, `local function counter() local n, last = 0, 0/0 return function() n = n + 1 last = n return n end end local count = counter() function main() return count() end`)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := st.Call(st.Global("main").(*lua.LFunction), 1); err == nil || st.cells[0].variable.Value() != st.cells[0].value {
			t.Errorf("got %v, and %v remained", err, st.cells[0].variable.Value())
		}
	}
}

func TestHostFunctions(t *testing.T) {
	st := stage{out: &strings.Builder{}}
	st.State = New(Config{Print: func(line int, text string) { fmt.Fprintf(st.out, "%d:%s ", line, text) }})
	defer st.Close()
	var handler *lua.LFunction
	api := st.L().NewTable()
	register := func(name string, fn lua.LGFunction) { api.RawSetString(name, st.L().NewFunction(fn)) }
	register("on", func(l *lua.LState) int { handler = l.CheckFunction(1); return 0 })
	register("work", func(l *lua.LState) int { st.Charge(l.CheckInt64(1), l.CheckInt64(2)); return 0 })
	register("back", func(l *lua.LState) int {
		values, err := st.Call(l.CheckFunction(1), 2, lua.LNumber(1))
		if err != nil {
			l.RaiseError("back: %v", err)
		}
		l.Push(values[0])
		return 1
	})
	st.SetGlobal("api", api)
	p, err := Compile("host.lua", []byte("local seen = {}\napi.on(function(what, n)\n  if what == 'work' then api.work(n, 0) end\n  if what == 'bytes' then api.work(0, n) end\n"+
		"  if what == 'back' then local m = 5 local r = api.back(function(x) m = m + x return m end) print(r, m) end\n"+
		"  if what == 'fail' then print(pcall(api.back, function() error('inner') end)) api.back(function() error('inner') end) end\n"+
		"  if what == 'keep' then seen.x = 1 end\n  if what == 'api' then api.on = 1 end\n  return what, n\nend)"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Run(p); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what string
		n    int
		want string
	}{
		{"nothing", 1, "nothing 1 <nil> "},
		{"work", 100, "work 100 <nil> "},
		{"work", 1e6, "host.lua:3: " + endless},
		{"bytes", 1e7, "host.lua:4: " + greedy},
		{"back", 0, "5:6\t6 back 0 <nil> "},
		{"fail", 0, "6:false\tback: host.lua:6: inner host.lua:6: back: host.lua:6: inner"},
		{"keep", 0, "host.lua:7: " + kept},
		{"api", 0, "host.lua:8: " + ours},
	} {
		st.out.Reset()
		values, err := st.Call(handler, 3, lua.LString(tt.what), lua.LNumber(tt.n))
		for _, v := range values {
			text, _ := toText(v)
			if v == lua.LNil {
				text = "<nil>"
			}
			st.out.WriteString(text + " ")
		}
		if got := st.out.String() + errorText(err); got != tt.want {
			t.Errorf("%s %d: got %q, want %q", tt.what, tt.n, got, tt.want)
		}
		if top := st.L().GetTop(); top != 0 {
			t.Errorf("%s: %d values are left on the stack", tt.what, top)
		}
	}
}

// A program may be run by many states at once.
func TestProgramsAreShared(t *testing.T) {
	p, err := Compile("shared.lua", []byte(`local t = {} for i = 1, 100 do t[i] = i .. "x" end function main() return t[50] .. #t end`))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			s := New(Config{})
			defer s.Close()
			if err := s.Run(p); err != nil {
				done <- err.Error()
				return
			}
			values, err := s.Call(s.Global("main").(*lua.LFunction), 1)
			if err != nil {
				done <- err.Error()
				return
			}
			done <- values[0].String()
		}()
	}
	for range 8 {
		if got := <-done; got != "50x100" {
			t.Errorf("got %q, want 50x100", got)
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	s := New(Config{})
	defer s.Close()
	if s.cfg.Load.limit != LoadSteps || s.cfg.Call != CallSteps {
		t.Errorf("load: %d, call: %d", s.cfg.Load.limit, s.cfg.Call)
	}
}
