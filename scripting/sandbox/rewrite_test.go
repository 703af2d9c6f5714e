package sandbox

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
	"pgregory.net/rapid"
)

// bare runs a script as it is written, with the same libraries.
func bare(t testing.TB, source string) (string, error) {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader(source), "test.lua")
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	proto, err := lua.Compile(chunk, "test.lua")
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	var out strings.Builder
	s := New(Config{Print: func(line int, text string) { fmt.Fprintf(&out, "%d: %s\n", line, text) }})
	defer s.Close()
	s.programs["test.lua"] = &Program{Name: "test.lua", Source: []byte(source)}
	s.begin(NewBudget(1e8))
	_, err = s.protect(s.l.NewFunctionFromProto(proto), 0, nil)
	return out.String(), err
}

func rewritten(t testing.TB, source string) (string, error) {
	t.Helper()
	var out strings.Builder
	print := func(line int, text string) { fmt.Fprintf(&out, "%d: %s\n", line, text) }
	_, err := load(t, Config{Print: print, Load: NewBudget(1e8)}, source)
	return out.String(), err
}

// sameBehaviour compares what is printed, with the lines, and the line of the error.
func sameBehaviour(t testing.TB, source string) {
	t.Helper()
	want, wantErr := bare(t, source)
	got, gotErr := rewritten(t, source)
	if got != want || errorLine(gotErr) != errorLine(wantErr) {
		t.Fatalf("%s\nbare:\n%s%v\nrewritten:\n%s%v", source, want, wantErr, got, gotErr)
	}
}

func errorLine(err error) int {
	if err == nil {
		return -1
	}
	e, ok := err.(*Error)
	if !ok {
		return -2
	}
	return e.Line
}

// e prints and returns its argument: it shows the order of evaluation.
const prelude = `local function e(...) print("e", ...) return ... end `

var corpus = []string{
	`print(1 .. 2, "a" .. "b" .. "c" .. 4, ("x" .. "y"):upper(), #("a" .. "b"))`,
	`print(e("a") .. e("b") .. e("c"), e(1) + e(2) .. e(3))`,
	`local t = {} t[e(1)], t[e(2)], t.x = e(3), e(4), e(5) print(t[1], t[2], t.x)`,
	`local i, t = 1, {} i, t[i] = i + 1, 20 print(i, t[1], t[2])`,
	`local t = {} t.a, t.b = (function() return 1, 2, 3 end)() print(t.a, t.b)`,
	`local t = {} t.a, t.b, t.c = e(1), (function() return 2, 3 end)() print(t.a, t.b, t.c)`,
	`local t = {} t.a, t.b = ((function() return 1, 2 end)()) print(t.a, t.b)`,
	`local t = {} t.a, t.b = 1 print(t.a, t.b) t.a, t.b = e(1), e(2), e(3) t.a = e(4), e(5) print(t.a, t.b)`,
	`local t = {} t.a = (function() return 1, 2 end)() t.f = function(...) return ... end print(t.a, t.f(1, 2, 3))`,
	`local t, u = {}, {} e(t).x, e(u).y = e(1), e(2) print(t.x, u.y)`,
	`local a a = {} a.b = {} a.b.c = 1 a.b["d"] = 2 print(a.b.c, a.b.d)`,
	`g = 1 g, h = 2, g print(g, h) function k() return g end print(k())`,
	`local t = {} local s = "x" t[s .. 1], s = s .. 2, "y" print(t.x1, s)`,
	`local t = {a = {b = {}}} function t.f() return 1 end function t.a.b.g(x) return x end function t.a:m(x) return self, x end print(t.f(), t.a.b.g(2), (t.a:m(3)) == t.a, select(2, t.a:m(3)))`,
	`local t = {} function t:m(...) return self == t, select("#", ...), ... end print(t:m(1, nil, 3)) print(t.m(t))`,
	`local function f(...) local a, b = ... local t = {...} return #t, a, b, ... end print(f()) print(f(1)) print(f(1, 2, 3)) print((f(1, 2, 3)))`,
	`local function f(...) return ... end print(f(1, 2), f(3, 4)) print({f(1, 2), f(3, 4)}[3]) `,
	`local function f(...) return (...) end print(f(1, 2))`,
	`local function f(...) for i = 1, select("#", ...) do print((select(i, ...))) end end f("a", nil, "c")`,
	`local function f(a, ...) return function(...) return a, ... end, ... end local g, x, y = f(1, 2, 3) print(g(4, 5), x, y)`,
	`local t = {1, 2, [3] = 3, x = 4, [e("y")] = e(5), e(6), (function() return 7, 8 end)()} for k, v in pairs(t) do print(k, v) end print(#t)`,
	`local t = {(function() return 1, 2 end)(), (function() return 1, 2 end)()} print(#t)`,
	`local t = {((function() return 1, 2 end)())} print(#t) print(#{nil, nil, 3}, #{1, nil}, #{n = 1})`,
	`local t = {{1, {2}}, {a = {b = {c = 3}}}} print(t[1][2][1], t[2].a.b.c)`,
	`local t = {f = function(self) return self.x end, x = 9} print(t:f(), t.f{x = 8}, #"abc", -"2" + 1)`,
	`local function fact(n) if n <= 1 then return 1 end return n * fact(n - 1) end print(fact(10))`,
	`local fib fib = function(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end print(fib(15))`,
	`local function main() local fs = {} for i = 1, 3 do fs[i] = function() i = i + 1 return i end end print(fs[1](), fs[1](), fs[2]()) end main()`,
	`local fs = {} for i = 1, 3 do local j = i * 2 fs[#fs + 1] = function() return i, j end end for _, f in ipairs(fs) do print(f()) end`,
	`for i = 1, 3 do for j = 1, 3 do if j == 2 then goto continue end print(i, j) ::continue:: end end`,
	`do local i = 1 ::top:: if i <= 3 then print(i) i = i + 1 goto top end end`,
	`local i = 0 repeat local j = i i = i + 1 until j >= 3 print(i)`,
	`local i = 0 while true do i = i + 1 if i > 5 then break end if i % 2 == 0 then print(i) end end`,
	`for i = 10, 1, -3 do print(i) end for i = 1, 0 do print("no") end for i = 0.5, 2 do print(i) end`,
	`for k, v in pairs({a = 1, b = 2, 10, 20}) do print(k, v) end for i, v in ipairs({1, 2, nil, 4}) do print(i, v) end`,
	`local t = {} for i = 1, 10 do t[i] = i end for i = 1, 10, 2 do t[i] = nil end for k, v in pairs(t) do print(k, v) end print(#t)`,
	`local t = {1, 2, 3, x = 1, y = 2} for k in pairs(t) do t[k] = nil end print(next(t), #t)`,
	`local t = {1, 2, 3} t[#t] = nil t[#t] = nil t[#t + 1] = "x" print(#t, t[1], t[2], t[3])`,
	`local t = {} t[3] = 3 t[1] = 1 print(t[1], t[2], t[3]) t[3] = nil print(#t) t[2] = 2 print(#t)`,
	`print(1 < 2, "a" < "b", "a" <= "a", 2 > 1, 2 >= 3, "b" > "a", 1 == 1.0, "1" == 1, "" < "a")`,
	`print(e(1) < e(2), e(1) > e(2), e("a") <= e("b"), e("a") >= e("b"))`,
	`local mt = {} mt.__lt = function(a, b) return a.v < b.v end mt.__le = function(a, b) return a.v <= b.v end mt.__eq = function(a, b) return a.v == b.v end local function n(v) return setmetatable({v = v}, mt) end print(n(1) < n(2), n(1) > n(2), n(2) <= n(2), n(1) >= n(2), n(1) == n(1), n(1) ~= n(1))`,
	`local mt = {__lt = function(a, b) return a.v < b.v end} local function n(v) return setmetatable({v = v}, mt) end print(n(1) <= n(2), n(2) <= n(1), n(1) >= n(1))`,
	`local mt = {__concat = function(a, b) return (type(a) == "table" and a.v or a) .. "+" .. (type(b) == "table" and b.v or b) end} local t = setmetatable({v = "t"}, mt) print(t .. "x", "x" .. t, t .. t, "a" .. "b" .. t .. "c" .. "d", 1 .. t)`,
	`local mt = {__newindex = function(t, k, v) print("new", k, v) end} local t = setmetatable({x = 1}, mt) t.x = 2 t.y = 3 print(t.x, t.y)`,
	`local u = {} local t = setmetatable({}, {__newindex = u, __index = u}) t.x = 1 print(t.x, u.x, rawget(t, "x"))`,
	`local mt = {__index = function(t, k) return k .. "?" end, __call = function(self, a, b) return a, b end, __unm = function() return "neg" end, __len = function() return 42 end} local t = setmetatable({}, mt) print(t.foo, t[1], t(1, 2), -t, #t)`,
	`local mt = {__add = function(a, b) return "add" end} local t = setmetatable({}, mt) print(t + 1, 1 + t, t + t, "10" + 5, 10 / "2", "3" * "4", 2 ^ "3", "7" % 4, 7 - "2")`,
	`print(not nil, not 0, nil and 1, false or "x", 1 and 2, nil or false, (1 and nil) or "z")`,
	`local a = e(nil) or e(false) or e("x") .. e("y") print(a) print(e(1) and e(2) and e(3) .. e(4))`,
	`if "a" .. "b" == "ab" and not ("a" < "A") then print("yes") else print("no") end`,
	`local x = 5 if x < 3 then print(1) elseif x < 6 then print(2) else print(3) end while x > 3 do x = x - 1 end print(x)`,
	`print(pcall(function() local t = nil t.x = 1 end) == false, pcall(function() return nil .. "x" end) == false)`,
	"local t = {}\n\nt.x = 1\nt\n.y\n= nil + 1",
	"local s = 'a'\ns = s ..\n'b' ..\nnil",
	"local t = setmetatable({}, {__newindex = function() error('here') end})\n\n\nt.x = 1",
	"local function f()\n  return 1 < {}\nend\n\nprint(f())",
	"print(1)\nprint(2,\n  3)\nprint(\n4)\nlocal t = {\n  a = 1,\n  [nil] = 2,\n}",
	"local a = {}\na.b.c = 1",
	"local a\na.b, a.c = 1, 2",
	"local function f(...)\n  return ... < 1\nend\nf({})",
	"error('at one')", "local function f() error('at two', 2) end\nf()", "error('none', 0)",
	"print(010, 0xff, 1e2, .5, 3., 0x10)",
	`local t = {[1] = "a", [2] = "b", [4] = "d", [2.5] = "e", [-1] = "f", [0] = "g"} for k, v in pairs(t) do print(k, v) end`,
	`local s = 0 for i = 1, 100 do local t = {i, x = i} s = s + t[1] + t.x end print(s)`,
	`local function outer() local n = 0 local function inc() n = n + 1 return n end inc() inc() return n, inc() end print(outer())`,
	`local function main() local f do local x = 1 f = function() x = x + 1 return x end end print(f(), f()) end main()`,
	`local a, b = 1, 2 a, b = (function() return b, a end)() print(a, b)`,
	`local t = {} t.f, t.g = function() return "f" end, function() return "g" end print(t.f(), t.g())`,
	`return 1, 2`, `return (e(1))`, `return e(1), e(2)`, ``, `-- only a comment`, `;`, `do end`,
	`local a <const> = 1`,
	`print(#arg)`,
}

func TestRewritingKeepsTheMeaning(t *testing.T) {
	for _, source := range corpus {
		if _, err := parse.Parse(strings.NewReader(source), ""); err != nil {
			if _, err := Compile("test.lua", []byte(source)); err == nil {
				t.Errorf("%s: compiled", source)
			}
			continue
		}
		t.Run(source, func(t *testing.T) { sameBehaviour(t, prelude+source) })
	}
}

// The machine compiles these otherwise than the manual says (reference manual 5.1, 2.4.3: all
// expressions first, then the assignments).
func TestAssignmentFollowsTheManual(t *testing.T) {
	for source, want := range map[string]string{
		`local a, b, t = 1, 2, {} a, t[a], b = b, a, a print(a, b, t[1], t[2])`:           "2\t1\t1\tnil\n",
		`local a, b, c = 1, 2, 3 a, b, c = c, a, b print(a, b, c)`:                        "3\t1\t2\n",
		`local a, b, c = 1, 2, 3 a, b, c = b, a, a print(a, b, c)`:                        "2\t1\t1\n",
		`local a, b = {x = 1}, 2 a, b = b, a print(a, b.x)`:                               "2\t1\n",
		`local a, b, c = 1, 2, 3 a, b, c = c, a print(a, b, c) a, b = a print(a, b)`:      "3\t1\tnil\n3\tnil\n",
		`local function f(x) x = x .. "b" x = "c" .. x return x end print(f("a"))`:        "cab\n",
		`local function f(y, x) x = (tostring(x)) x = (#x) return x end print(f(1, 234))`: "3\n",
		`local a, b = 1, 2 a, b = b, a + b print(a, b)`:                                   "2\t3\n",
		`local function f(...) return arg end print(f(1))`:                                "nil\n",
		`local t = {1, 2, x = (function() return 3, 4 end)()} print(#t, t.x)`:             "2\t3\n",
		`local x = 5 x = x and nil or x print(x)`:                                         "5\n",
		`local x = 5 x = (x and false) or x print(x)`:                                     "5\n",
		`local x, y = 5, 6 x = y and (x and nil) or x print(x)`:                           "5\n",
		`local x = 5 x = (x == 5 and x > 6) or x print(x)`:                                "5\n",
		`local x = 5 x = not x or x print(x)`:                                             "5\n",
		`local x = 5 x = nil or x print(x) x = false or x print(x)`:                       "5\n5\n",
		`local x = 5 x = {x, [x] = x} print(x[1], x[5])`:                                  "5\t5\n",
		`local x = "a" x = x .. x .. x print(x)`:                                          "aaa\n",
		`local x = 5 x = -x + x * x print(x)`:                                             "20\n",
		`local x = {1} x = #x + x[1] print(x)`:                                            "2\n",
		`local x = {y = {z = 1}} x = x.y[x.y.z and "z"] print(x)`:                         "1\n",
		`local function f(x) x = x and nil or x return x end print(f(5))`:                 "5\n",
		`local function f(x) x = (function(y) return y end)(x) return x end print(f(5))`:  "5\n",
		`local x = 5 local x = x and nil or x print(x)`:                                   "5\n",
		`local x = 5 local function f() return x and nil or x end print(f())`:             "5\n",
		`local function f(a, b) a, b = b, a return a, b end print(f(1, 2))`:               "2\t1\n",
		`local x = 1 local x, y = x + 1, x + 2 print(x, y)`:                               "2\t3\n",
	} {
		if got, err := play(t, Config{}, source); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
}

// A writer writes random programs that end.
type writer struct {
	t      *rapid.T
	b      bytes.Buffer
	locals []string
	depth  int
	loops  int
	dots   bool
}

func (w *writer) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *writer) block(n int) {
	kept := len(w.locals)
	w.depth++
	for range n {
		w.statement()
	}
	w.depth--
	w.locals = w.locals[:kept]
}

func (w *writer) local() string {
	if len(w.locals) == 0 {
		return "T"
	}
	return w.locals[w.pick("local", len(w.locals))]
}

func (w *writer) target() string {
	switch w.pick("target", 4) {
	case 0:
		return "T." + w.name()
	case 1:
		return "T[" + w.number(1) + "]"
	case 2:
		return "e(T)[" + w.text(1) + "]"
	}
	return "U." + w.name()
}

func (w *writer) name() string { return []string{"a", "b", "c"}[w.pick("name", 3)] }

func (w *writer) list(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = w.value(2)
	}
	return strings.Join(parts, ", ")
}

func (w *writer) statement() {
	kind := w.pick("statement", 14)
	if w.depth > 3 && kind > 6 {
		kind = 0
	}
	switch kind {
	case 0:
		w.line("print(%s)", w.list(2))
	case 1, 2:
		name := fmt.Sprintf("v%d", len(w.locals))
		w.line("local %s = %s", name, w.value(2))
		w.locals = append(w.locals, name)
	case 3:
		if w.pick("assign", 2) == 0 {
			w.line("%s = select(1, %s)", w.local(), w.value(2)) // bare logic would be compiled wrongly
		} else {
			w.line("%s = %s", w.target(), w.value(2))
		}
	case 4:
		w.line("%s, %s = %s", w.target(), w.target(), w.list(1+w.pick("values", 3)))
	case 5:
		w.line("%s, %s, %s = %s", w.target(), w.target(), w.target(), w.list(1+w.pick("values", 4)))
	case 6:
		w.line("local %s, %s = %s", "v", "u", w.list(1+w.pick("values", 3)))
	case 7:
		w.line("if %s then", w.value(2))
		w.block(2)
		w.line("else")
		w.block(1)
		w.line("end")
	case 8:
		w.loops++
		w.line("for i%d = 1, %d do", w.loops, 1+w.pick("times", 3))
		w.locals = append(w.locals, fmt.Sprintf("i%d", w.loops))
		w.block(2)
		w.locals = w.locals[:len(w.locals)-1]
		w.line("end")
	case 9:
		w.loops++
		loop := w.loops
		w.line("for k, v in pairs({x = %s, %s}) do if e(k) == 2 then goto c%d end", w.value(1), w.list(2), loop)
		w.block(1)
		w.line("::c%d:: end", loop)
	case 10:
		name := fmt.Sprintf("v%d", len(w.locals))
		outer := w.dots
		w.dots = true
		w.line("local function %s(a, ...)", name)
		w.block(2)
		w.line("return %s end", w.value(2))
		w.dots = outer
		w.line("print((pcall(%s, %s)))", name, w.list(1+w.pick("arguments", 3)))
	case 11:
		w.line("function T:%s(...)", w.name())
		outer := w.dots
		w.dots = true
		w.block(1)
		w.line("return %s, self end", w.value(1))
		w.dots = outer
	case 12:
		w.line("repeat local w = %s until true", w.value(2))
	case 13:
		w.line("do")
		w.block(2)
		w.line("end")
	}
}

func (w *writer) number(depth int) string {
	if depth == 0 || w.pick("number", 3) == 0 {
		return fmt.Sprint(w.pick("digit", 10))
	}
	switch w.pick("numeric", 3) {
	case 0:
		return "e(" + w.number(depth-1) + ")"
	case 1:
		return w.number(depth-1) + []string{" + ", " - ", " * "}[w.pick("operator", 3)] + w.number(depth-1)
	}
	return "#" + w.table(depth-1)
}

func (w *writer) text(depth int) string {
	if depth == 0 || w.pick("text", 3) == 0 {
		return []string{`"a"`, `"b"`, `"x1"`, `""`}[w.pick("string", 4)]
	}
	switch w.pick("textual", 3) {
	case 0:
		return "e(" + w.text(depth-1) + ")"
	case 1:
		return "(" + w.text(depth-1) + " .. " + w.number(depth-1) + " .. " + w.text(depth-1) + ")"
	}
	return "tostring(" + w.value(depth-1) + ")"
}

func (w *writer) table(depth int) string {
	if depth == 0 {
		return "{}"
	}
	return fmt.Sprintf("{%s, x = %s, [%s] = %s, %s}", w.value(depth-1), w.value(depth-1), w.number(depth-1), w.value(depth-1), w.value(depth-1))
}

func (w *writer) value(depth int) string {
	switch w.pick("value", 13) {
	case 0:
		return w.table(min(depth, 1))
	case 1:
		return w.local()
	case 2:
		return "T." + w.name()
	case 3:
		return "nil"
	case 4, 5:
		return w.text(depth)
	case 6:
		return "(" + w.number(depth) + []string{" < ", " <= ", " > ", " >= ", " == "}[w.pick("relation", 5)] + w.number(depth) + ")"
	case 7:
		return "(" + w.text(depth) + []string{" < ", " <= ", " > ", " >= ", " ~= "}[w.pick("relation", 5)] + w.text(depth) + ")"
	case 8:
		if depth > 0 {
			return "(" + w.value(depth-1) + []string{" and ", " or "}[w.pick("logic", 2)] + w.value(depth-1) + ")"
		}
	case 9:
		if depth > 0 {
			return "e(" + w.list1(depth-1) + ")"
		}
	case 10:
		if w.dots {
			return []string{"...", "(...)", "e(...)"}[w.pick("dots", 3)]
		}
	case 11:
		if depth > 0 {
			return "(function(...) return " + w.value(depth-1) + " end)(" + w.value(depth-1) + ")"
		}
	}
	return w.number(depth)
}

func (w *writer) list1(depth int) string { return w.value(depth) + ", " + w.value(depth) }

func TestRewritingKeepsTheMeaningOfRandomPrograms(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &writer{t: rt}
		w.line("%slocal function main() local T, U = {}, {}", prelude)
		w.block(3 + w.pick("statements", 8))
		w.line("end main()")
		source := w.b.String()
		want, wantErr := bare(t, source)
		got, gotErr := rewritten(t, source)
		if got != want || errorLine(gotErr) != errorLine(wantErr) {
			rt.Fatalf("%s\nbare:\n%s%v\nrewritten:\n%s%v", source, want, wantErr, got, gotErr)
		}
	})
}
